/**
 * SuperOffice CRM Online for applications that work in the background: sign a system user token, exchange it for a ticket,
 * call the tenant. Needs `jose` and `zod`; runs on Node and Deno.
 *
 * @module
 */
export {
  createSuperOffice,
  type SuperOffice,
  type SuperOfficeOptions,
} from "./createSuperOffice.ts";
export { createSteps, type Steps } from "./createSteps.ts";
export * from "./logOn.ts";
export { createSigner, type Signer, signToken } from "./signToken.ts";
export { importPrivateKey } from "./privateKey.ts";
export { askForJwt, exchange } from "./exchange.ts";
export { createKeySet, type KeySet } from "./keySet.ts";
export { type SystemUserClaims, validateJwt } from "./validateJwt.ts";
export {
  type NotificationAudience,
  readNotification,
  type SentNotification,
  TENANT_CHANGES,
  type TenantChange,
  validateNotification,
} from "./notification.ts";
export { type Approved, type Asker, validateIdToken } from "./validateIdToken.ts";
export { addressOf, readTenantState, type TenantState } from "./tenantState.ts";
export {
  callTenant,
  type Principal,
  readPrincipal,
  type TenantRequest,
  WHO_AM_I,
} from "./callTenant.ts";
export type { Access, Application, Tenant } from "./tenant.ts";
export type { HttpAnswer, HttpRequest, Send } from "./http.ts";
export { sendByFetch } from "./sendByFetch.ts";
export * from "./errors.ts";
