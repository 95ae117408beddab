/**
 * One class for each cause of trouble. A message says what happened and why, `remedy` says what to do,
 * `code` never changes, so that programs can rely on it; `cause` keeps the error underneath.
 * No message holds a secret.
 */
export abstract class ConsoleError extends Error {
  abstract readonly code: string;
  abstract readonly remedy: string;
  /** The context identifier of the customer concerned, where there is one. */
  customer?: string;

  override get name(): string {
    return this.constructor.name;
  }
}

/** Settings that are missing or wrong, all of them in one message. */
export class SettingsError extends ConsoleError {
  readonly code = "SETTINGS_WRONG";
  readonly remedy = "Correct the settings and start again; --help lists them.";

  readonly faults: string[];

  constructor(faults: string[]) {
    super(["The settings are not right:", ...faults.map((fault) => `  ${fault}`)].join("\n"));
    this.faults = faults;
  }
}

/** The command line says something that is not known. */
export class UsageError extends ConsoleError {
  readonly code = "USAGE_WRONG";
  readonly remedy = "--help shows what there is.";
}

/** The private key cannot be used. The message names what was found, the remedy how to mend it. */
export class PrivateKeyError extends ConsoleError {
  readonly code = "PRIVATE_KEY_WRONG";
  readonly remedy: string;

  constructor(found: string, remedy: string, options?: ErrorOptions) {
    super(found, options);
    this.remedy = remedy;
  }
}

/** The database cannot be reached, or does not hold what the console needs. */
export class DatabaseError extends ConsoleError {
  readonly code = "DATABASE_TROUBLE";
  readonly remedy: string;

  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.remedy = remedy;
  }
}

/** The customer's row holds no system user token. */
export class TokenMissingError extends ConsoleError {
  readonly code = "TOKEN_MISSING";
  readonly remedy =
    "Store the token that came with the customer's approval: npm run customers -- add … --replace.";
}

/** The signer (the private key, or a key vault behind it) did not sign. */
export class SigningError extends ConsoleError {
  readonly code = "SIGNING_FAILED";
  readonly remedy = "Check the private key, or the key vault that signs in its place.";
}

/** No answer: the name is not known, the connection is refused, reset or cut. */
export class NetworkError extends ConsoleError {
  readonly code = "NETWORK_FAILED";
  readonly remedy =
    "Check the network, the proxy and the firewall between this machine and that host.";
}

/** No answer within REQUEST_TIMEOUT_SECONDS. */
export class RequestTimeoutError extends ConsoleError {
  readonly code = "REQUEST_TIMEOUT";
  readonly remedy =
    "If it goes on, look at status.superoffice.com, or raise REQUEST_TIMEOUT_SECONDS.";
  readonly host: string | undefined;

  constructor(message: string, host?: string) {
    super(message);
    this.host = host;
  }
}

/** An answer with a status that the step has no other word for. */
export class UnexpectedStatusError extends ConsoleError {
  readonly code: string = "UNEXPECTED_STATUS";
  readonly remedy: string = "Look the status up, and compare context_identifier, " +
    "SUPEROFFICE_ENVIRONMENT and SUPEROFFICE_LOGIN_URL with what SuperOffice gave you.";
  readonly status: number;
  /** How long the answer asks to wait, in milliseconds. */
  readonly retryAfterMs: number;

  constructor(message: string, status: number, retryAfterMs = 0) {
    super(message);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Status 429, or one from 500 on: SuperOffice has too much to do, or is in trouble itself. */
export class BusyError extends UnexpectedStatusError {
  override readonly code = "SERVICE_BUSY";
  override readonly remedy =
    "Often passing, and tried again. If it goes on, look at status.superoffice.com, or lower CONCURRENCY.";
}

/** Status 3xx: somebody wants credentials to go elsewhere. They do not. */
export class RedirectError extends UnexpectedStatusError {
  override readonly code = "REDIRECT_REFUSED";
  override readonly remedy =
    "Redirects are not followed: check SUPEROFFICE_LOGIN_URL, and any proxy in between.";
}

/** Status 401: the tenant does not know the ticket, or no longer. */
export class TicketRefusedError extends UnexpectedStatusError {
  override readonly code = "TICKET_REFUSED";
  override readonly remedy =
    "Check that SUPEROFFICE_CLIENT_SECRET is the application's current one in this environment.";
}

/** Status 403. */
export class ForbiddenError extends UnexpectedStatusError {
  override readonly code = "FORBIDDEN";
  override readonly remedy =
    "Check the application's rights, and the system user's, in this customer's SuperOffice.";
}

/** Status 404. */
export class NotFoundError extends UnexpectedStatusError {
  override readonly code = "NOT_FOUND";
  override readonly remedy =
    "Check the row's context_identifier, and that SUPEROFFICE_ENVIRONMENT is the customer's.";
}

/** Status 421: the tenant lives on another host, even after a second look at its state. */
export class TenantMovedError extends UnexpectedStatusError {
  override readonly code = "TENANT_MOVED";
  override readonly remedy =
    "Nothing: the tenant is being moved to another host, and is looked up again at the next poll.";
}

/** The tenant takes no calls for now. Such a customer is skipped; that is no failure. */
export class TenantNotRunningError extends ConsoleError {
  readonly code = "TENANT_NOT_RUNNING";
  readonly remedy: string;
  readonly state: string;

  constructor(state: string, meaning: string) {
    super(`The tenant takes no calls, its state is ${state}: ${meaning}`);
    this.state = state;
    this.remedy = state === "Deleted"
      ? "It will not come back: set is_active to false in its row."
      : "It is picked up again by itself when it is back.";
  }
}

/** An answer that is not what the documentation says: no JSON, fields missing, too long. */
export class UnreadableAnswerError extends ConsoleError {
  readonly code = "ANSWER_UNREADABLE";
  readonly remedy =
    "Often a proxy or a maintenance page answers instead of SuperOffice: open the address by hand.";
}

/** A credential would have gone to a host that it is not meant for. It was not sent. */
export class UntrustedHostError extends ConsoleError {
  readonly code = "HOST_UNTRUSTED";
  readonly remedy = "Check SUPEROFFICE_LOGIN_URL; if it is right, report this to SuperOffice.";
}

/** The exchange was refused for a reason that this program does not know. */
export class ExchangeRefusedError extends ConsoleError {
  readonly code: string = "EXCHANGE_REFUSED";
  readonly remedy: string =
    "Check that client secret, private key and environment belong to the same application, and that " +
    "the customer's context identifier and system user token are the ones from its approval.";
}

export class RevokedError extends ExchangeRefusedError {
  override readonly code = "TOKEN_REVOKED";
  override readonly remedy =
    "The customer withdrew its approval. Have its administrator approve the application again and " +
    "store the new system user token, or set is_active to false.";
}

export class InvalidRedirectUrlError extends ExchangeRefusedError {
  override readonly code = "REDIRECT_URL_INVALID";
  override readonly remedy =
    "Compare the redirect URLs registered for the application in the developer portal.";
}

export class ExpiredError extends ExchangeRefusedError {
  override readonly code = "APPROVAL_EXPIRED";
  override readonly remedy =
    "Have the customer's administrator approve the application again, and store the new token.";
}

export class DeniedError extends ExchangeRefusedError {
  override readonly code = "ACCESS_DENIED";
  override readonly remedy =
    "The application may not enter this customer in this environment: check its approval, and that " +
    "SUPEROFFICE_ENVIRONMENT and SUPEROFFICE_CLIENT_SECRET belong together.";
}

export class NeedsReapprovalError extends ExchangeRefusedError {
  override readonly code = "NEEDS_REAPPROVAL";
  override readonly remedy =
    "The application changed since the customer approved it: have its administrator approve it again.";
}

export class InvalidTimestampError extends ExchangeRefusedError {
  /** SuperOffice's time, where the answer told it. */
  serverTime?: Date | undefined;
  override readonly code = "TIMESTAMP_INVALID";
  override readonly remedy =
    "This machine's clock is the likely cause: set it (timedatectl set-ntp true) and keep it right.";
}

export class InvalidSignatureError extends ExchangeRefusedError {
  override readonly code = "SIGNATURE_INVALID";
  override readonly remedy =
    "The private key does not match the public key registered for the application in this environment: " +
    "compare with what `openssl rsa -in private.pem -pubout` prints.";
}

/** The JWT that the exchange gave did not pass its validation, and was thrown away. */
export class JwtInvalidError extends ConsoleError {
  readonly code = "JWT_INVALID";
  readonly remedy =
    "Check this machine's clock and SUPEROFFICE_LOGIN_URL. If both are right, do not go on: something " +
    "between here and SuperOffice may be answering in its place.";
}

/** The answer speaks of another tenant than the one asked for. */
export class WrongTenantError extends ConsoleError {
  readonly code = "WRONG_TENANT";
  readonly remedy =
    "Compare the row's context_identifier with its system_user_token; report it if both are right.";
}

/** The vendor's own work script failed for a customer. */
export class WorkError extends ConsoleError {
  readonly code = "WORK_FAILED";
  readonly remedy = "Mend the work script; the other customers' work goes on.";
}

/** The console was told to stop before this customer was done. */
export class StoppedError extends ConsoleError {
  readonly code = "STOPPED";
  readonly remedy = "Nothing: the customer is taken again after the next start.";
}

/** Anything else: a mistake in this program, or in code that it was given to run. */
export class UnexpectedError extends ConsoleError {
  readonly code = "UNEXPECTED";
  readonly remedy = "This should not happen: please report it, with this line.";
}

/** Gives every error the form of a {@link ConsoleError}. */
export function toConsoleError(error: unknown): ConsoleError {
  if (error instanceof ConsoleError) return error;
  return new UnexpectedError(error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

/** What the log says of an error, for the message `{problem}. {remedy} [{code}]`. */
export function problemOf(error: unknown): { problem: string; remedy: string; code: string } {
  const { message, remedy, code } = toConsoleError(error);
  return { problem: message, remedy, code };
}
