import type { Customer } from "../database/loadCustomers.ts";

/** Which customers were refused for a reason that trying again does not mend, and how long they are left alone. */
export interface Backoff {
  /** Whether it is time to try the customer: always, unless it was refused and its row is still the same. */
  mayTry(customer: Customer): boolean;
  /** Says that the customer was refused, with which code: it is left alone for twice as long as the last time. */
  refused(customer: Customer, code: string): void;
  /** Says that the customer was refused, or not tried, for what all are refused for: it is not left alone. */
  refusedWithAll(customer: Customer, code: string): void;
  /** Says that the customer was not refused. */
  passed(customer: Customer): void;
  /** Says that the customer got in: whoever else was refused as it was before is tried at once. */
  gotIn(customer: Customer): void;
  /** Says that something changed for all: whoever was refused is tried at once. */
  tryAll(): void;
}

/** The longest that a refused customer is left alone. */
export const LONGEST_MS = 15 * 60 * 1000;

/**
 * Leaves a refused customer alone for 2 polls, then 4, 8 and so on, at most 15 minutes. It starts anew when the row's
 * context identifier or system user token changes, when somebody clears its `last_error`, or when another that was refused for the
 * same cause gets in.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createBackoff(pollMs: number, monotonicMs: () => number): Backoff {
  const refusals = new Map<
    string,
    { row: string; code: string; waitMs: number; until: number; errorSeen: boolean }
  >();
  const codesOfAll = new Map<string, string>();

  function tryThose(isOne: (code: string) => boolean): void {
    for (const refusal of refusals.values()) {
      if (isOne(refusal.code)) refusal.until = -Infinity;
    }
  }

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
    refused({ id, contextIdentifier, systemUserToken }, code) {
      const row = `${contextIdentifier} ${systemUserToken}`;
      const before = refusals.get(id);
      // Customers that are active no more leave nothing behind.
      for (const [id, { until }] of refusals) {
        if (monotonicMs() - until > LONGEST_MS) refusals.delete(id);
      }
      const waitMs = Math.min(2 * (before?.waitMs ?? pollMs), LONGEST_MS);
      const until = monotonicMs() + waitMs;
      refusals.set(id, { row, code, waitMs, until, errorSeen: before?.errorSeen ?? false });
    },
    refusedWithAll: ({ id }, code) => void codesOfAll.set(id, code),
    passed: ({ id }) => void refusals.delete(id),
    gotIn({ id }) {
      const code = codesOfAll.get(id) ?? refusals.get(id)?.code;
      refusals.delete(id);
      if (code === undefined) return;
      codesOfAll.clear();
      tryThose((other) => other === code);
    },
    tryAll: () => tryThose(() => true),
  };
}
