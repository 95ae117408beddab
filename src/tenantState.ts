import { z } from "zod";
import { WrongTenantError } from "./errors.ts";
import { type HttpOptions, readJson, serverTimeOf, unexpectedStatus } from "./http.ts";

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

const STATE_MEANINGS: Record<string, string> = {
  Provisioning: "it is being set up",
  Deleted: "it was deleted",
  Suspended: "SuperOffice has closed it for now",
  OfflineMaintenance: "it is down for maintenance",
  ProvisioningFailed: "setting it up failed",
  Deleting: "it is being deleted",
  DeleteFailed: "deleting it failed",
  MigrationPending: "it is about to be moved",
};

/** What a state means for who wants to call the tenant. */
export function meaningOf(state: string): string {
  return STATE_MEANINGS[state] ?? "SuperOffice does not say why";
}

const stateSchema = z.object({
  ContextIdentifier: z.string().nullish(),
  State: z.union([z.string(), z.number().transform((code) => STATE_NAMES[code] ?? `${code}`)])
    .nullish(),
  IsRunning: z.boolean().nullish(),
  Api: z.string().nullish(),
  ValidUntil: z.string().nullish(),
}).refine(
  ({ State, IsRunning }) => State != null || IsRunning != null,
  "neither State nor IsRunning",
);

/**
 * Asks the login host for a tenant's state and address. Needs no credentials.
 * Throws what {@link HttpOptions}`.send` throws, and for an answer that is not the tenant's state.
 *
 * @see SuperOffice's page "Tenant status" (PROTOCOL.md §6)
 */
export async function readTenantState(
  contextIdentifier: string,
  loginUrl: string,
  http: HttpOptions,
): Promise<TenantState> {
  const answer = await http.send({
    purpose: "reading the tenant's state",
    url: `${loginUrl}/api/state/${encodeURIComponent(contextIdentifier)}`,
  }, http);
  if (answer.status !== 200) throw unexpectedStatus(answer);
  const { ContextIdentifier, State, IsRunning, Api, ValidUntil } = readJson(answer, stateSchema);
  assertSameTenant(contextIdentifier, ContextIdentifier, answer.purpose);
  const state = State ?? "Unknown";
  return {
    state,
    isRunning: IsRunning ?? (state === "Running" || state === "OnlineMaintenance"),
    api: Api ? addressOf(Api) : null,
    // Both times are the login host's, so that this machine's clock does not matter.
    validForMs:
      Math.max(0, Date.parse(ValidUntil ?? "") - (serverTimeOf(answer)?.getTime() ?? NaN)) || 0,
  };
}

/** An address in its usual form, without a slash at its end. */
function addressOf(text: string): string {
  return (URL.canParse(text) ? new URL(text).href : text).replace(/\/+$/, "");
}

/**
 * Throws {@link WrongTenantError} when an answer names another tenant than the one asked for.
 * Upper and lower case are the same: SuperOffice writes both `Cust12345` and `cust12345` (PROTOCOL.md §1).
 */
export function assertSameTenant(
  asked: string,
  answered: string | null | undefined,
  purpose: string,
): void {
  if (answered == null || asked.toLowerCase() === answered.toLowerCase()) return;
  throw new WrongTenantError(`The answer to ${purpose} speaks of the tenant ${answered}`);
}
