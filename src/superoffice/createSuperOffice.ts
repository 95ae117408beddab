import { createSteps } from "./createSteps.ts";
import type { Send } from "./http.ts";
import { type Call, type LogOn, makeCall, makeLogOn, makeNewTicket } from "./logOn.ts";
import { importPrivateKey } from "./privateKey.ts";
import { sendByFetch } from "./sendByFetch.ts";
import { createSigner, type Signer } from "./signToken.ts";
import type { Application } from "./tenant.ts";

/** What SuperOffice gave the vendor for an application. */
export interface SuperOfficeOptions extends Application {
  /** RSAKeyValue XML or PEM text, or a function that signs in the key's place. A secret. */
  privateKey: string | Signer;
  /** Sends one request; {@link sendByFetch} where it is left out. */
  send?: Send;
}

/** The way to an application's tenants. */
export interface SuperOffice {
  /** Logs on to a tenant as the system user. */
  logOn: LogOn;
  /** Calls a tenant's web services as the system user, from its state to the answer, whatever that one's status. */
  call: Call;
}

/**
 * Wires the plain flow: state, signature, exchange, call. Nothing is tried twice and no ticket is kept: who calls a tenant
 * again within six hours uses the ticket that `logOn` gave.
 *
 * Throws `PrivateKeyError` for a key that cannot be used; what it gives throws what the steps of `createSteps` throw, and
 * `TenantNotRunningError`. Each of these errors has a `code` and a `remedy`.
 *
 * @example
 * ```ts
 * const superOffice = await createSuperOffice({
 *   loginUrl: "https://sod.superoffice.com",
 *   clientSecret,
 *   privateKey: await readFile("private-key.xml", "utf8"),
 * });
 * const { principal, api, ticket } = await superOffice.logOn({
 *   contextIdentifier: "Cust12345",
 *   systemUserToken,
 * });
 * console.log(`Logged on as ${principal.associate}`);
 * ```
 *
 * @see "System user flow", https://docs.superoffice.com/en/authentication/online/auth-application/index.html
 */
export async function createSuperOffice(
  { loginUrl, clientSecret, privateKey, send = sendByFetch }: SuperOfficeOptions,
): Promise<SuperOffice> {
  const application = { loginUrl: loginUrl.replace(/(?<!\/)\/+$/, ""), clientSecret };
  const sign = typeof privateKey === "string"
    ? createSigner(await importPrivateKey(privateKey))
    : privateKey;
  const { readTenantState, signToken, exchange, callTenant } = createSteps(
    application,
    sign,
    send,
    () => new Date(),
  );
  const newTicket = makeNewTicket(signToken, exchange);
  const call = makeCall(readTenantState, (tenant) => newTicket(tenant, new Date()), callTenant);
  return { call, logOn: makeLogOn(call) };
}
