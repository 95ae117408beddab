import type { KeySet } from "../../superoffice/keySet.ts";

/** After keys could not be read they are not asked for again before this. */
const PAUSE_MS = 5000;
/** How many wait for keys at a time. */
const MOST_WAITING = 100;

/** So many wait for the login host's keys that no more can. */
export class TooManyWaitError extends Error {}

/**
 * A key set for what anybody may ask for: neither does the login host hear more of it than it would, nor do those wait whom the
 * known keys explain. What it gives throws what the key set throws, and {@link TooManyWaitError}.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createCarefulKeySet(keySet: KeySet, monotonicMs: () => number): KeySet {
  // Apart: a JWT whose key nobody knows says nothing of the others.
  return {
    get: careful(() => keySet.get(), monotonicMs),
    renew: careful((stale) => keySet.renew(stale), monotonicMs),
  };
}

function careful<Given extends unknown[], T>(
  ask: (...given: Given) => Promise<T>,
  monotonicMs: () => number,
): (...given: Given) => Promise<T> {
  let failure: { error: unknown; untilMs: number } | undefined;
  let waiting = 0;
  return async (...given) => {
    if (failure !== undefined && monotonicMs() < failure.untilMs) throw failure.error;
    if (waiting >= MOST_WAITING) throw new TooManyWaitError("too many wait for them already");
    waiting++;
    try {
      return await ask(...given);
    } catch (error) {
      failure = { error, untilMs: monotonicMs() + PAUSE_MS };
      throw error;
    } finally {
      waiting--;
    }
  };
}
