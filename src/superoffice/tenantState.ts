import { z } from "zod";
import { TenantNotRunningError } from "./errors.ts";
import { cutBetweenWords, readJson, type Send, serverTimeOf, unexpectedStatus } from "./http.ts";
import { assertContextIdentifier, assertSameTenant } from "./tenant.ts";
import { trustedUrl } from "./trustedHost.ts";

/** A tenant's state. */
export interface TenantState {
  /** The state's name, for example `Running` or `Suspended`. */
  state: string;
  /** Whether the tenant takes calls. */
  isRunning: boolean;
  /** The base of the tenant's web services, for example `https://online3.superoffice.com/Cust12345/api`. */
  api: string | null;
  /** How long SuperOffice says that this holds, in milliseconds; 0 where it does not say so. */
  validForMs: number;
}

const STATE_NAMES: Record<number, string> = {
  0: "Unknown",
  1: "Provisioning",
  2: "Running",
  3: "Deleted",
  4: "Suspended",
  5: "OnlineMaintenance",
  6: "OfflineMaintenance",
  8: "ProvisioningFailed",
  10: "Deleting",
  11: "DeleteFailed",
  12: "MigrationPending",
};

const STATE_MEANINGS = {
  Provisioning: "it is being set up",
  Deleted: "it was deleted",
  Suspended: "SuperOffice has closed it for now",
  OfflineMaintenance: "it is down for maintenance",
  ProvisioningFailed: "setting it up failed",
  Deleting: "it is being deleted",
  DeleteFailed: "deleting it failed",
  MigrationPending: "it is about to be moved",
};

const stateSchema = z.object({
  ContextIdentifier: z.string().nullish(),
  State: z.union([z.string(), z.number().transform((code) => STATE_NAMES[code] ?? `${code}`)])
    .nullish(),
  IsRunning: z.boolean().nullish(),
  Api: z.string().max(2000).nullish(),
  ValidUntil: z.string().nullish(),
}).refine(
  ({ State, IsRunning }) => State != null || IsRunning != null,
  "neither State nor IsRunning",
);

/**
 * Asks the login host for a tenant's state and address. Needs no credentials.
 *
 * Throws `ContextIdentifierError` for what cannot be one, `UntrustedHostError` for an address that credentials may not go to, an `UnexpectedStatusError`, an
 * `UnreadableAnswerError` or a `WrongTenantError` for an answer that is not the tenant's state, and what {@link Send} throws.
 *
 * @example
 * ```ts
 * const state = await readTenantState("Cust12345", "https://sod.superoffice.com", sendByFetch);
 * ```
 *
 * @see "Tenant status", https://docs.superoffice.com/en/developer-portal/best-practices/tenant-status/check-status.html
 */
export async function readTenantState(
  contextIdentifier: string,
  loginUrl: string,
  send: Send,
): Promise<TenantState> {
  assertContextIdentifier(contextIdentifier);
  const answer = await send({
    purpose: "reading the tenant's state",
    url: `${loginUrl}/api/state/${encodeURIComponent(contextIdentifier)}`,
    contextIdentifier,
  });
  if (answer.status !== 200) throw unexpectedStatus(answer);
  const { ContextIdentifier, State, IsRunning, Api, ValidUntil } = readJson(answer, stateSchema);
  assertSameTenant(contextIdentifier, ContextIdentifier, answer.purpose);
  if (Api) trustedUrl(Api, loginUrl);
  const state = cutBetweenWords(State ?? "Unknown", 100);
  return {
    state,
    isRunning: IsRunning ?? (state === "Running" || state === "OnlineMaintenance"),
    api: Api ? usualForm(Api) : null,
    // Both times are the login host's, so that this machine's clock does not matter.
    validForMs:
      Math.max(0, Date.parse(ValidUntil ?? "") - (serverTimeOf(answer)?.getTime() ?? NaN)) || 0,
  };
}

/** Without slashes at its end, which are looked for where they begin: an answer can hold very many. */
function usualForm(api: string): string {
  return new URL(api).href.replace(/(?<!\/)\/+$/, "");
}

/**
 * Gives the address of a tenant that takes calls. Throws {@link TenantNotRunningError} for another.
 *
 * @example
 * ```ts
 * const api = addressOf(await readTenantState("Cust12345", loginUrl, sendByFetch));
 * ```
 */
export function addressOf({ state, isRunning, api }: TenantState): string {
  if (isRunning && api !== null) return api;
  const meaning = Object.hasOwn(STATE_MEANINGS, state)
    ? STATE_MEANINGS[state as keyof typeof STATE_MEANINGS]
    : "SuperOffice does not say why";
  throw new TenantNotRunningError(state, meaning);
}
