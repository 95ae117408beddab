import { ContextIdentifierError, WrongTenantError } from "./errors.ts";
import { cutBetweenWords } from "./http.ts";

/** The vendor's application, as far as SuperOffice has to know it. */
export interface Application {
  /** Where authentication happens, for example `https://online.superoffice.com`; no slash at the end. */
  loginUrl: string;
  /** Also called application token. A secret. */
  clientSecret: string;
}

/** One customer's SuperOffice installation. */
export interface Tenant {
  /** The tenant's id, for example `Cust12345`. */
  contextIdentifier: string;
  /** What the vendor got when the tenant's administrator approved the application. A secret. */
  systemUserToken: string;
}

/** The way into a tenant. */
export interface Access {
  /** The base of the tenant's web services, for example `https://online3.superoffice.com/Cust12345/api`. */
  api: string;
  /** The system user ticket, `7T:…`. A secret. */
  ticket: string;
}

/**
 * Throws {@link WrongTenantError} when an answer names another tenant than the one asked for; one that names none passes.
 * Letter case does not matter: SuperOffice writes both `Cust12345` and `cust12345`.
 *
 * @param purpose what the request was for, for the error
 */
export function assertSameTenant(
  asked: string,
  answered: string | null | undefined,
  purpose: string,
): void {
  if (answered == null || asked.toLowerCase() === answered.toLowerCase()) return;
  throw new WrongTenantError(
    `The answer to ${purpose} speaks of the tenant ${cutBetweenWords(answered, 100)}`,
  );
}

/**
 * Throws {@link ContextIdentifierError} for what cannot be a context identifier, since it would ask something else: one without
 * any letter or digit, such as `..`, or with a control character.
 */
export function assertContextIdentifier(contextIdentifier: string): void {
  if (/[\p{L}\p{N}]/u.test(contextIdentifier) && !/\p{Cc}/u.test(contextIdentifier)) return;
  const shown = JSON.stringify(cutBetweenWords(contextIdentifier, 100));
  throw new ContextIdentifierError(`${shown} is not a context identifier, so nothing was asked`);
}
