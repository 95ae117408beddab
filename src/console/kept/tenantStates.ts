import { NetworkError } from "../../superoffice/errors.ts";
import type { CallTenant, ReadTenantState } from "../../superoffice/logOn.ts";
import type { Access, Tenant } from "../../superoffice/tenant.ts";
import type { TenantState } from "../../superoffice/tenantState.ts";
import { createKeeper, type Found } from "./keeper.ts";

/** The tenants' states, kept for as long as SuperOffice says that they hold. */
export interface TenantStates {
  /** Gives the state that is kept, where it still holds; else reads it. */
  kept(read: ReadTenantState): ReadTenantState;
  /** The state that is kept for the tenant, with the time until which it holds. */
  find(tenant: Tenant): Found<TenantState> | undefined;
  /** Keeps one that was read elsewhere and holds for `leftMs` milliseconds more. */
  put(tenant: Tenant, state: TenantState, leftMs: number): void;
  /** A host that cannot be reached may be one that the tenant has left. */
  forgottenWhenUnreachable(callTenant: CallTenant): CallTenant;
  /** Drops the state that leads to the address that was refused: another may have taken its place. */
  drop(tenant: Tenant, refused: Pick<Access, "api">): void;
  /** Keeps no state of these tenants any longer, nor one that is being read just now. */
  forget(isOne: (contextIdentifier: string) => boolean): void;
}

const LONGEST_MS = 15 * 60 * 1000;

/**
 * Keeps states until their `ValidUntil`, but for two polls at least and else 15 minutes at most: a wrong date must neither
 * make every poll ask again nor hide that a tenant is back.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 * @see "Tenant status", https://docs.superoffice.com/en/developer-portal/best-practices/tenant-status/check-status.html
 */
export function createTenantStates(pollMs: number, monotonicMs: () => number): TenantStates {
  const keepMsOf = ({ validForMs }: TenantState) =>
    Math.max(2 * pollMs, Math.min(validForMs, LONGEST_MS));
  const keeper = createKeeper(keepMsOf, LONGEST_MS, monotonicMs);

  function drop({ contextIdentifier }: Tenant, refused: Pick<Access, "api">): void {
    keeper.drop(contextIdentifier, ({ api }) => api === refused.api);
  }

  return {
    kept: (read) => (tenant) => {
      const { contextIdentifier } = tenant;
      const state = keeper.find(contextIdentifier, "");
      if (state !== undefined) return Promise.resolve(state.value);
      return keeper.make(contextIdentifier, "", () => read(tenant));
    },
    find: ({ contextIdentifier }) => keeper.find(contextIdentifier, ""),
    put: ({ contextIdentifier }, state, leftMs) => keeper.put(contextIdentifier, "", state, leftMs),
    forgottenWhenUnreachable: (callTenant) => async (tenant, access, request) => {
      try {
        return await callTenant(tenant, access, request);
      } catch (error) {
        if (error instanceof NetworkError) drop(tenant, access);
        throw error;
      }
    },
    drop,
    forget: keeper.forget,
  };
}
