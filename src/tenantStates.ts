import type { Customer } from "./loadCustomers.ts";
import type { TenantState } from "./tenantState.ts";

/** The tenants' states, kept for as long as SuperOffice says that they hold. */
export interface TenantStates {
  /** The state, when one is kept that still holds. */
  get(customer: Customer): TenantState | undefined;
  /** Reads the state, and keeps it. */
  renew(customer: Customer, read: () => Promise<TenantState>): Promise<TenantState>;
  /** Says that the state is not true any more: the tenant moved, or cannot be reached. */
  forget(customer: Customer): void;
}

const LONGEST_MS = 15 * 60 * 1000;

/**
 * Keeps states until their `ValidUntil`, but for two polls at least and else 15 minutes at most: a wrong date must neither
 * make every poll ask again nor hide that a tenant is back.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 * @see SuperOffice's page "Tenant status"
 */
export function createTenantStates(pollMs: number, monotonicMs: () => number): TenantStates {
  // Only what is needed, since there may be a hundred thousand.
  const kept = new Map<string, TenantState & { contextIdentifier: string; until: number }>();
  const shortestMs = 2 * pollMs;
  let sweptAt = monotonicMs();

  /** Customers that are active no more leave their states behind. */
  function sweep(): void {
    if (monotonicMs() - sweptAt < LONGEST_MS) return;
    sweptAt = monotonicMs();
    for (const [id, { until }] of kept) if (monotonicMs() >= until) kept.delete(id);
  }

  return {
    get({ id, contextIdentifier }) {
      const found = kept.get(id);
      const holds = found?.contextIdentifier === contextIdentifier && monotonicMs() < found.until;
      return holds ? found : undefined;
    },
    async renew({ id, contextIdentifier }, read) {
      const state = await read();
      sweep();
      const keepMs = Math.max(shortestMs, Math.min(state.validForMs, LONGEST_MS));
      kept.set(id, { ...state, contextIdentifier, until: monotonicMs() + keepMs });
      return state;
    },
    forget: ({ id }) => void kept.delete(id),
  };
}
