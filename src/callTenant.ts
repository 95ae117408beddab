import { z } from "zod";
import type { Application } from "./exchange.ts";
import { type HttpOptions, readJson, unexpectedStatus } from "./http.ts";
import { assertSameTenant } from "./tenantState.ts";
import { trustedUrl } from "./trustedHost.ts";

/** Who the system user is in a tenant. */
export interface Principal {
  associate: string;
  associateId: number | null;
  fullName: string | null;
  userType: string | null;
}

const principalSchema = z.object({
  Associate: z.string(),
  AssociateId: z.coerce.number().nullish(),
  FullName: z.string().nullish(),
  UserType: z.string().nullish(),
  DatabaseContextIdentifier: z.string().nullish(),
});

/**
 * Calls a tenant's web services as the system user, and gives who that is: `User/currentPrincipal`.
 *
 * @param api the tenant's address from its state; refused when the login host does not vouch for it
 * @param ticket the system user ticket from the exchange
 *
 * Throws an {@link UnexpectedStatusError} for another status than 200 (`TICKET_REFUSED` for 401, `TENANT_MOVED` for
 * 421), and what {@link trustedUrl} and {@link HttpOptions}`.send` throw.
 *
 * @see SuperOffice's pages "Credential management" and "currentPrincipal" (PROTOCOL.md §7)
 */
export async function callTenant(
  contextIdentifier: string,
  api: string,
  ticket: string,
  application: Application,
  http: HttpOptions,
): Promise<Principal> {
  trustedUrl(api, application.loginUrl);
  const answer = await http.send({
    purpose: "the call",
    url: `${api}/v1/User/currentPrincipal`,
    headers: { "Authorization": `SOTicket ${ticket}`, "SO-AppToken": application.clientSecret },
  }, http);
  if (answer.status !== 200) throw unexpectedStatus(answer);
  const principal = readJson(answer, principalSchema);
  assertSameTenant(contextIdentifier, principal.DatabaseContextIdentifier, answer.purpose);
  return {
    associate: principal.Associate,
    associateId: principal.AssociateId ?? null,
    fullName: principal.FullName ?? null,
    userType: principal.UserType ?? null,
  };
}
