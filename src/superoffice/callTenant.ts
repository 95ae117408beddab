import { z } from "zod";
import { TenantMovedError, TicketRefusedError, type UnexpectedStatusError } from "./errors.ts";
import {
  describeStatus,
  type HttpAnswer,
  type HttpRequest,
  readJson,
  type Send,
  unexpectedStatus,
} from "./http.ts";
import { type Access, type Application, assertSameTenant } from "./tenant.ts";
import { trustedUrl } from "./trustedHost.ts";

/** A request to a tenant: what it is is said, who asks is added. */
export interface TenantRequest extends Omit<HttpRequest, "url" | "purpose" | "contextIdentifier"> {
  /** Below the tenant's address, for example `v1/Contact/1`. */
  path: string;
  /** "the call" where it is not said. */
  purpose?: string;
}

/** The request that asks who the system user is; {@link readPrincipal} reads its answer. */
export const WHO_AM_I: TenantRequest = { path: "v1/User/currentPrincipal" };

/** Who the system user is in a tenant. */
export interface Principal {
  associate: string;
  associateId: number | null;
  fullName: string | null;
  userType: string | null;
}

/** What is printed at each poll may not be a megabyte. */
const shortText = z.string().max(1000);

const principalSchema = z.object({
  Associate: shortText,
  AssociateId: z.coerce.number().nullish(),
  FullName: shortText.nullish(),
  UserType: shortText.nullish(),
  DatabaseContextIdentifier: z.string().nullish(),
});

/**
 * Calls a tenant's web services as the system user. Gives the answer whatever its status.
 *
 * @param contextIdentifier for a `send` that tells tenants apart
 *
 * Throws `UntrustedHostError` for an address that the login host does not vouch for, and what {@link Send} throws.
 *
 * @example
 * ```ts
 * const answer = await callTenant({ api, ticket }, WHO_AM_I, application, sendByFetch);
 * ```
 *
 * @see SuperOffice's page "Credential management"
 */
export async function callTenant(
  { api, ticket }: Access,
  request: TenantRequest,
  application: Application,
  send: Send,
  contextIdentifier?: string,
): Promise<HttpAnswer> {
  trustedUrl(api, application.loginUrl);
  const credentials = {
    "authorization": `SOTicket ${ticket}`,
    "so-apptoken": application.clientSecret,
  };
  const { path, purpose = "the call", headers } = request;
  // Field by field: to spread them would take longer than all else here.
  return await send({
    purpose,
    url: `${api}/${path}`,
    method: request.method,
    headers: headers === undefined ? credentials : { ...headers, ...credentials },
    body: request.body,
    timeoutMs: request.timeoutMs,
    signal: request.signal,
    maxBytes: request.maxBytes,
    onceOnly: request.onceOnly,
    contextIdentifier,
  });
}

/**
 * Gives who the system user is, from the answer to {@link WHO_AM_I}.
 * Throws what {@link tenantError} gives, an `UnreadableAnswerError` or a `WrongTenantError`.
 *
 * @example
 * ```ts
 * const { associate } = readPrincipal("Cust12345", answer);
 * ```
 */
export function readPrincipal(contextIdentifier: string, answer: HttpAnswer): Principal {
  if (answer.status !== 200) throw tenantError(answer);
  const principal = readJson(answer, principalSchema);
  assertSameTenant(contextIdentifier, principal.DatabaseContextIdentifier, answer.purpose);
  return {
    associate: principal.Associate,
    associateId: principal.AssociateId ?? null,
    fullName: principal.FullName ?? null,
    userType: principal.UserType ?? null,
  };
}

/** The error for a tenant's answer of another status than 200: 401 and 421 mean something else here than at the login host. */
export function tenantError(answer: HttpAnswer): UnexpectedStatusError {
  const { status } = answer;
  if (status === 401) return new TicketRefusedError(describeStatus(answer), status);
  if (status === 421) return new TenantMovedError(describeStatus(answer), status);
  return unexpectedStatus(answer);
}
