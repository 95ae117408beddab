import type { Customer } from "./loadCustomers.ts";

/** The system user tickets that are still good, kept in memory between polls. */
export interface Tickets {
  /** The customer's ticket, when one is kept that was made with the token of this row and is not about to expire. */
  get(customer: Customer): string | undefined;
  /**
   * Makes a ticket with `exchange` and keeps it. Who asks for the same customer meanwhile gets the same one, so that
   * at most one exchange is under way for a tenant.
   */
  renew(customer: Customer, exchange: () => Promise<string>): Promise<string>;
  /** Says that a tenant accepted the ticket, from which its time starts anew. */
  accepted(customer: Customer, ticket: string): void;
  /** Says that a tenant refused the ticket. */
  refused(customer: Customer, ticket: string): void;
}

/** A ticket lives 6 hours from its last use; one that has less than 5 minutes left is not used any more. */
export const TICKET_LIFETIME_MS = (6 * 60 - 5) * 60 * 1000;

/**
 * Keeps tickets for `lifetimeMs` from their last use.
 *
 * @param lifetimeMs 0 to keep none, and exchange every time
 * @param monotonicMs a clock in milliseconds that is never set back
 * @see SuperOffice's page "Credential management"
 */
export function createTickets(lifetimeMs: number, monotonicMs: () => number): Tickets {
  // Only what is needed, since there may be a hundred thousand.
  const kept = new Map<string, { ticket: string; systemUserToken: string; usedAt: number }>();
  const underWay = new Map<string, Promise<string>>();
  let sweptAt = monotonicMs();

  const isGood = (usedAt: number) => monotonicMs() - usedAt < lifetimeMs;

  /** Customers that are active no more leave their tickets behind. */
  function sweep(): void {
    if (isGood(sweptAt)) return;
    sweptAt = monotonicMs();
    for (const [id, { usedAt }] of kept) if (!isGood(usedAt)) kept.delete(id);
  }

  return {
    get({ id, systemUserToken }) {
      const found = kept.get(id);
      const fits = found?.systemUserToken === systemUserToken && isGood(found.usedAt);
      return fits ? found.ticket : undefined;
    },
    renew({ id, systemUserToken }, exchange) {
      const same = underWay.get(id);
      if (same !== undefined) return same;
      const made = exchange().then((ticket) => {
        sweep();
        if (lifetimeMs > 0) kept.set(id, { ticket, systemUserToken, usedAt: monotonicMs() });
        return ticket;
      }).finally(() => underWay.delete(id));
      underWay.set(id, made);
      return made;
    },
    accepted({ id }, ticket) {
      const found = kept.get(id);
      if (found?.ticket === ticket) found.usedAt = monotonicMs();
    },
    refused({ id }, ticket) {
      if (kept.get(id)?.ticket === ticket) kept.delete(id);
    },
  };
}
