import type { Customer } from "../database/loadCustomers.ts";

/** Which customers were refused for a reason that trying again does not mend, and how long they are left alone. */
export interface Backoff {
  /** Whether it is time to try the customer: always, unless it was refused and its row is still the same. */
  mayTry(customer: Customer): boolean;
  /** Says that the customer was refused: it is left alone for twice as long as the last time. */
  refused(customer: Customer): void;
  /** Says that the customer was not refused. */
  passed(customer: Customer): void;
}

const LONGEST_MS = 15 * 60 * 1000;

/**
 * Leaves a refused customer alone for 2 polls, then 4, 8 and so on, at most 15 minutes. It starts anew when the row's
 * context identifier or system user token changes, or when somebody clears its `last_error`.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createBackoff(pollMs: number, monotonicMs: () => number): Backoff {
  const refusals = new Map<
    string,
    { row: string; waitMs: number; until: number; errorSeen: boolean }
  >();
  return {
    mayTry({ id, contextIdentifier, systemUserToken, hasError }) {
      const refusal = refusals.get(id);
      if (refusal === undefined) return true;
      // The error is written a moment after the refusal: it can be missed only once it was there.
      const wasCleared = refusal.errorSeen && !hasError;
      if (refusal.row !== `${contextIdentifier} ${systemUserToken}` || wasCleared) {
        refusals.delete(id);
        return true;
      }
      refusal.errorSeen ||= hasError;
      return monotonicMs() >= refusal.until;
    },
    refused({ id, contextIdentifier, systemUserToken }) {
      const row = `${contextIdentifier} ${systemUserToken}`;
      const before = refusals.get(id);
      // Customers that are active no more leave nothing behind.
      for (const [id, { until }] of refusals) {
        if (monotonicMs() - until > LONGEST_MS) refusals.delete(id);
      }
      const waitMs = Math.min(2 * (before?.waitMs ?? pollMs), LONGEST_MS);
      const until = monotonicMs() + waitMs;
      refusals.set(id, { row, waitMs, until, errorSeen: before?.errorSeen ?? false });
    },
    passed: ({ id }) => void refusals.delete(id),
  };
}
