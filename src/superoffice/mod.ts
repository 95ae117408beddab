/**
 * SuperOffice CRM Online for applications that work in the background: sign a system user token, exchange it for a ticket,
 * call the tenant. Needs `jose` and `zod`; runs on Node and Deno.
 *
 * @module
 */
export * from "./callTenant.ts";
export * from "./createSteps.ts";
export * from "./createSuperOffice.ts";
export * from "./errors.ts";
export * from "./exchange.ts";
export * from "./http.ts";
export * from "./keySet.ts";
export * from "./logOn.ts";
export * from "./privateKey.ts";
export * from "./sendByFetch.ts";
export * from "./signToken.ts";
export * from "./tenant.ts";
export * from "./tenantState.ts";
export * from "./trustedHost.ts";
export * from "./validateJwt.ts";
