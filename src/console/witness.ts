/** Finds a customer that can show whether a step is refused to all: one that gets on, since what the step gave is kept. */
export interface Witness<T, Result> {
  /** Notes who gets on. */
  noted: (kept: (tenant: T) => Promise<Result>) => (tenant: T) => Promise<Result>;
  /** Gives one that got on within a poll, so that it is active; once a poll, since to try it costs an exchange that nobody needs. */
  call: () => T | undefined;
}

/**
 * @param pollMs from one poll's start to the next
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createWitness<T, Result>(
  pollMs: number,
  monotonicMs: () => number,
): Witness<T, Result> {
  let last: { tenant: T; seenMs: number } | undefined;
  let calledMs = -Infinity;
  return {
    noted: (kept) => async (tenant) => {
      const result = await kept(tenant);
      last = { tenant, seenMs: monotonicMs() };
      return result;
    },
    call() {
      const now = monotonicMs();
      if (last === undefined || now - last.seenMs > pollMs) return undefined;
      if (now - calledMs < pollMs / 2) return undefined;
      calledMs = now;
      return last.tenant;
    },
  };
}
