/**
 * What the wire can throw, one class for each cause. A message says what happened and why, `remedy` what to do, as far as it
 * is SuperOffice's; `code` never changes, so that programs can rely on it; `cause` keeps the error underneath.
 * No message holds a secret.
 */
export abstract class ExplainedError extends Error {
  /** The code of every error of this class. */
  static readonly code: string;
  /** What to do about an error of this class, where it does not depend on the error. */
  static readonly remedy: string;
  readonly code: string;
  remedy: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = new.target.code;
    this.remedy = new.target.remedy;
  }
  override get name(): string {
    return this.constructor.name;
  }
}

/** The private key cannot be used. The message names what was found, the remedy how to mend it. */
export class PrivateKeyError extends ExplainedError {
  static override readonly code = "PRIVATE_KEY_WRONG";
  static override readonly remedy = "What the line says.";

  constructor(found: string, remedy: string, options?: ErrorOptions) {
    super(found, options);
    this.remedy = remedy;
  }
}

/** The context identifier cannot be one, so that nobody was asked about it. */
export class ContextIdentifierError extends ExplainedError {
  static override readonly code = "CONTEXT_IDENTIFIER_WRONG";
  static override readonly remedy =
    "Compare it with the one that came with the customer's approval: Cust and digits, as in Cust12345.";
}

/** The signer (the private key, or a key vault behind it) did not sign. */
export class SigningError extends ExplainedError {
  static override readonly code = "SIGNING_FAILED";
  static override readonly remedy =
    "Check the private key, or the key vault that signs in its place.";
}

/**
 * What is wrong with a host's certificate. Some clients on Deno call one untrusted that is out of its time, so that the
 * remedy of the one speaks of the other.
 */
export type CertificateFault = "untrusted" | "outOfTime" | "misnamed";

const CERTIFICATE_REMEDIES: Record<CertificateFault, string> = {
  untrusted:
    "The host's certificate comes from nobody whom this machine trusts. If your company's proxy reads along, " +
    "have its authority (CA) trusted here; if not, do not go on, since something else may be answering in that host's " +
    "place. Check this machine's clock, too.",
  outOfTime:
    "Check this machine's clock first (timedatectl set-ntp true). If it is right, the certificate has to be renewed " +
    "by who runs that host, or the proxy in between.",
  misnamed:
    "The certificate is another host's: check that host's name, what it leads to (DNS), and any proxy in between.",
};

/** No answer: the name is not known, the connection is refused, reset or cut, or the host's certificate is not in order. */
export class NetworkError extends ExplainedError {
  static override readonly code: string = "NETWORK_FAILED";
  static override readonly remedy: string =
    "Check the network, the proxy and the firewall between this machine and that host.";
  /** What is wrong with the host's certificate, where that is why. The request was not sent then. */
  readonly certificateFault: CertificateFault | undefined;

  constructor(message: string, options?: ErrorOptions, certificateFault?: CertificateFault) {
    super(message, options);
    this.certificateFault = certificateFault;
    if (certificateFault !== undefined) this.remedy = CERTIFICATE_REMEDIES[certificateFault];
  }
}

/** No answer in time. */
export class RequestTimeoutError extends ExplainedError {
  static override readonly code = "REQUEST_TIMEOUT";
  static override readonly remedy = "If it goes on, look at status.superoffice.com.";
  readonly host: string | undefined;

  constructor(message: string, host?: string) {
    super(message);
    this.host = host;
  }
}

/** An answer with a status that the step has no other word for. */
export class UnexpectedStatusError extends ExplainedError {
  static override readonly code: string = "UNEXPECTED_STATUS";
  static override readonly remedy: string =
    "Look the status up, and compare context identifier, environment and login host with what SuperOffice gave you.";
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** Status 429, or one from 500 on: SuperOffice has too much to do, or is in trouble itself. */
export class BusyError extends UnexpectedStatusError {
  static override readonly code = "SERVICE_BUSY";
  static override readonly remedy =
    "Often passing. If it goes on, look at status.superoffice.com, or ask less at once.";
}

/** Status 3xx: somebody wants credentials to go elsewhere. They do not. */
export class RedirectError extends UnexpectedStatusError {
  static override readonly code = "REDIRECT_REFUSED";
  static override readonly remedy =
    "Redirects are not followed: check the login host's address, and any proxy in between.";
}

/** Status 401 of the login host, where a ticket plays no part. */
export class LoginHostRefusedError extends UnexpectedStatusError {
  static override readonly code = "LOGIN_HOST_REFUSED";
  static override readonly remedy =
    "Check the login host's address, any proxy in between, and that the client secret is the application's current one " +
    "in this environment.";
}

/** Status 401 of a tenant: it does not know the ticket, or no longer. */
export class TicketRefusedError extends UnexpectedStatusError {
  static override readonly code = "TICKET_REFUSED";
  static override readonly remedy =
    "Check that the client secret is the application's current one in this environment.";
}

/** Status 403. */
export class ForbiddenError extends UnexpectedStatusError {
  static override readonly code = "FORBIDDEN";
  static override readonly remedy =
    "Check the application's rights, and the system user's, in this customer's SuperOffice.";
}

/** Status 404. */
export class NotFoundError extends UnexpectedStatusError {
  static override readonly code = "NOT_FOUND";
  static override readonly remedy =
    "Check the context identifier, and that the environment is the customer's.";
}

/** Status 421 of a tenant: it lives on another host. */
export class TenantMovedError extends UnexpectedStatusError {
  static override readonly code = "TENANT_MOVED";
  static override readonly remedy =
    "The tenant is being moved to another host: read its state again, and call it there.";
}

/** The tenant takes no calls for now. */
export class TenantNotRunningError extends ExplainedError {
  static override readonly code = "TENANT_NOT_RUNNING";
  static override readonly remedy = "Nothing, as long as it was not deleted.";
  readonly state: string;

  constructor(state: string, meaning: string) {
    super(`The tenant takes no calls, its state is ${state}: ${meaning}`);
    this.state = state;
    this.remedy = state === "Deleted"
      ? "It will not come back."
      : "It takes calls again when it is back.";
  }
}

/** An answer that is not what the documentation says: no JSON, fields missing, too long. */
export class UnreadableAnswerError extends ExplainedError {
  static override readonly code = "ANSWER_UNREADABLE";
  static override readonly remedy =
    "Often a proxy or a maintenance page answers instead of SuperOffice: open the address by hand.";
}

/** A credential would have gone to a host that it is not meant for. It was not sent. */
export class UntrustedHostError extends ExplainedError {
  static override readonly code = "HOST_UNTRUSTED";
  static override readonly remedy =
    "Check the login host's address; if it is right, report this to SuperOffice.";
}

/** The exchange was refused for a reason that is not known here. */
export class ExchangeRefusedError extends ExplainedError {
  static override readonly code: string = "EXCHANGE_REFUSED";
  static override readonly remedy: string =
    "Check that client secret, private key and environment belong to the same application, and that " +
    "the customer's context identifier and system user token are the ones from its approval.";
}

/** The exchange was refused, since the customer withdrew its approval. */
export class RevokedError extends ExchangeRefusedError {
  static override readonly code = "TOKEN_REVOKED";
  static override readonly remedy =
    "The customer withdrew its approval. Have its administrator approve the application again and " +
    "store the new system user token.";
}

/** The exchange was refused because of a redirect URL. */
export class InvalidRedirectUrlError extends ExchangeRefusedError {
  static override readonly code = "REDIRECT_URL_INVALID";
  static override readonly remedy =
    "Compare the redirect URLs registered for the application in the developer portal.";
}

/** The exchange was refused, since the approval is not valid any more. */
export class ExpiredError extends ExchangeRefusedError {
  static override readonly code = "APPROVAL_EXPIRED";
  static override readonly remedy =
    "Have the customer's administrator approve the application again, and store the new token.";
}

/** The exchange was refused, since this application may not enter this tenant. */
export class DeniedError extends ExchangeRefusedError {
  static override readonly code = "ACCESS_DENIED";
  static override readonly remedy =
    "The application may not enter this customer in this environment: check its approval and its system user token, " +
    "and that environment and client secret belong together.";
}

/** The exchange was refused, since the application changed after it was approved. */
export class NeedsReapprovalError extends ExchangeRefusedError {
  static override readonly code = "NEEDS_REAPPROVAL";
  static override readonly remedy =
    "The application changed since the customer approved it: have its administrator approve it again.";
}

/** The exchange was refused, since the minute in the signed system token is too far from SuperOffice's time. */
export class InvalidTimestampError extends ExchangeRefusedError {
  /** SuperOffice's time, where the answer told it. */
  serverTime?: Date | undefined;
  static override readonly code = "TIMESTAMP_INVALID";
  static override readonly remedy =
    "This machine's clock is the likely cause: set it (timedatectl set-ntp true) and keep it right.";
}

/** The exchange was refused, since the registered public key does not explain the signature. */
export class InvalidSignatureError extends ExchangeRefusedError {
  static override readonly code = "SIGNATURE_INVALID";
  static override readonly remedy =
    "The private key does not match the public key registered for the application in this environment: " +
    "compare with what `openssl rsa -in private.pem -pubout` prints.";
}

/** A JWT, of an exchange or an approval, did not pass its validation, and was thrown away. */
export class JwtInvalidError extends ExplainedError {
  /** Whether it is not valid at the time that it was judged by. */
  isForItsTime = false;
  static override readonly code = "JWT_INVALID";
  static override readonly remedy =
    "Check this machine's clock and the login host's address. If both are right, do not go on: something " +
    "between here and SuperOffice may be answering in its place.";
}

/** The answer speaks of another tenant than the one asked for. */
export class WrongTenantError extends ExplainedError {
  static override readonly code = "WRONG_TENANT";
  static override readonly remedy =
    "Compare the context identifier with the system user token; report it if both are right.";
}

const APPROVAL_REMEDIES: Record<string, string> = {
  access_denied:
    "Whoever opened the address declined, or may not approve: it takes a general or user administrator of the customer.",
  unauthorized_client:
    "Check that the client id is the application's in this environment, and that the developer portal lets it be approved.",
  temporarily_unavailable: "Often passing: try it a little later.",
  server_error: "Often passing: try it a little later.",
};

/** SuperOffice answered a request for approval with an error. */
export class ApprovalRefusedError extends ExplainedError {
  static override readonly code = "APPROVAL_REFUSED";
  static override readonly remedy =
    "Have a general or user administrator of the customer approve; compare client id and redirect URL with what the developer " +
    "portal says.";

  /** @param error the error's name, as OAuth has it */
  constructor(message: string, error: string, options?: ErrorOptions) {
    super(message, options);
    if (Object.hasOwn(APPROVAL_REMEDIES, error)) this.remedy = APPROVAL_REMEDIES[error]!;
  }
}

/** SuperOffice gave no tokens for the code of an approval. */
export class CodeRefusedError extends ExplainedError {
  static override readonly code = "CODE_REFUSED";
  static override readonly remedy =
    "A code is good once, for ten minutes, and for the redirect URL that it was sent to: it takes a new approval.";
}

/** SuperOffice does not know the application by this client id and client secret. */
export class ClientRefusedError extends ExplainedError {
  static override readonly code = "CLIENT_REFUSED";
  static override readonly remedy =
    "Compare client id and client secret with what the developer portal says for this environment.";
}

/** The application was approved, but the approval brought no system user token. */
export class SystemTokenMissingError extends ExplainedError {
  static override readonly code = "SYSTEM_TOKEN_MISSING";
  static override readonly remedy =
    "The application has no system user: register it as server to server in the developer portal, which is what gives it one " +
    "(where that cannot be chosen, ask SuperOffice's support for developers), and have it approved again.";
}
