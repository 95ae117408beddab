// The flow, once, from top to bottom. Its steps are parameters: createSteps.ts gives them application and key.
import { type Principal, readPrincipal, type TenantRequest, WHO_AM_I } from "./callTenant.ts";
import type { HttpAnswer } from "./http.ts";
import type { Access, Tenant } from "./tenant.ts";
import { addressOf, type TenantState } from "./tenantState.ts";

/** Says where a tenant is, and whether it takes calls: tenantState.ts. */
export type ReadTenantState = (
  tenant: Pick<Tenant, "contextIdentifier">,
) => Promise<TenantState>;

/** Signs a tenant's system user token for the minute of `now`: signToken.ts. */
export type SignToken = (tenant: Tenant, now: Date) => Promise<string>;

/** Exchanges a signed system token for a ticket: exchange.ts. */
export type Exchange = (tenant: Tenant, signedSystemToken: string) => Promise<string>;

/** Calls a tenant; gives the answer whatever its status: callTenant.ts. */
export type CallTenant = (
  tenant: Tenant,
  access: Access,
  request: TenantRequest,
) => Promise<HttpAnswer>;

/** Makes a new ticket. */
export type NewTicket = (tenant: Tenant, now: Date) => Promise<string>;

/** Gives a ticket, be it new or not. */
export type GetTicket = (tenant: Tenant) => Promise<string>;

/** A call's answer, and the way on which it was got. */
export interface Called extends Access {
  answer: HttpAnswer;
}

/** Calls a tenant from nothing but its row. */
export type Call = (tenant: Tenant, request: TenantRequest) => Promise<Called>;

/** A log-on that worked. */
export interface LoggedOn extends Access {
  principal: Principal;
}

/** Logs on to a tenant. */
export type LogOn = (tenant: Tenant) => Promise<LoggedOn>;

/**
 * A ticket is the system user token signed, then exchanged.
 *
 * @example
 * ```ts
 * const newTicket = makeNewTicket(steps.signToken, steps.exchange);
 * const ticket = await newTicket(tenant, new Date());
 * ```
 */
export function makeNewTicket(signToken: SignToken, exchange: Exchange): NewTicket {
  return async (tenant, now) => {
    const signedSystemToken = await signToken(tenant, now);
    return await exchange(tenant, signedSystemToken);
  };
}

/**
 * A call is the tenant's state read, a ticket got, the tenant called. What it gives throws `TenantNotRunningError` for a
 * tenant that takes no calls, and what the steps throw.
 *
 * @example
 * ```ts
 * const call = makeCall(steps.readTenantState, getTicket, steps.callTenant);
 * const { answer } = await call(tenant, { path: "v1/Contact/1" });
 * ```
 */
export function makeCall(
  readTenantState: ReadTenantState,
  getTicket: GetTicket,
  callTenant: CallTenant,
): Call {
  return async (tenant, request) => {
    // The state first: a tenant that takes no calls, or whose address is not to be trusted, costs no exchange.
    const api = addressOf(await readTenantState(tenant));
    const ticket = await getTicket(tenant);
    const answer = await callTenant(tenant, { api, ticket }, request);
    return { api, ticket, answer };
  };
}

/**
 * A log-on is the call that asks who the system user is. What it gives throws what `call` and `readPrincipal` throw.
 *
 * @example
 * ```ts
 * const { principal, api, ticket } = await makeLogOn(call)(tenant);
 * ```
 */
export function makeLogOn(call: Call): LogOn {
  return async (tenant) => {
    const { api, ticket, answer } = await call(tenant, WHO_AM_I);
    return { principal: readPrincipal(tenant.contextIdentifier, answer), api, ticket };
  };
}
