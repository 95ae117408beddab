/** Something that is kept. */
export interface Found<T> {
  readonly value: T;
  /** By the monotonic clock, in milliseconds. */
  readonly until: number;
}

/** Keeps one thing for each tenant, and has it made once for all who ask for it at the same time. */
export interface Keeper<T> {
  /** What is kept for the tenant, made for the same `purpose`, and still good; with the time until which it is. */
  find(contextIdentifier: string, purpose: string): Found<T> | undefined;
  /** Has it made and keeps it; gives the one that is being made when somebody asked before. */
  make(contextIdentifier: string, purpose: string, making: () => Promise<T>): Promise<T>;
  /** Keeps what was made elsewhere, for `leftMs` milliseconds, but not longer than one that is new. */
  put(contextIdentifier: string, purpose: string, value: T, leftMs: number): void;
  /** Lets the time of what is kept begin anew, where `isIt` says that it is this one. */
  renew(contextIdentifier: string, isIt: (kept: T) => boolean): void;
  /** Keeps it no longer, where `isIt` says that it is this one. */
  drop(contextIdentifier: string, isIt: (kept: T) => boolean): void;
  /**
   * Keeps nothing of these tenants any longer, nor what is being made for them just now. `isOne` is asked about each tenant that
   * there is.
   */
  forget(isOne: (contextIdentifier: string) => boolean): void;
}

/**
 * Keeps things in memory for as long as they are good.
 *
 * @param keepMsOf for how long one is good, in milliseconds from its making
 * @param sweepMs how often those are cleared away that nobody asked for any more
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createKeeper<T>(
  keepMsOf: (made: T) => number,
  sweepMs: number,
  monotonicMs: () => number,
): Keeper<T> {
  // Only what is needed, since there may be a hundred thousand.
  const kept = new Map<string, { value: T; purpose: string; until: number }>();
  const underWay = new Map<string, { purpose: string; made: Promise<T> }>();
  let sweptAt = monotonicMs();

  function keep(contextIdentifier: string, purpose: string, value: T, leftMs = Infinity): void {
    const now = monotonicMs();
    if (now - sweptAt >= sweepMs) {
      sweptAt = now;
      for (const [id, { until }] of kept) if (now >= until) kept.delete(id);
    }
    kept.set(contextIdentifier, { value, purpose, until: now + Math.min(leftMs, keepMsOf(value)) });
  }

  return {
    find(contextIdentifier, purpose) {
      const found = kept.get(contextIdentifier);
      const isGood = found?.purpose === purpose && monotonicMs() < found.until;
      return isGood ? found : undefined;
    },
    make(contextIdentifier, purpose, making) {
      const same = underWay.get(contextIdentifier);
      if (same?.purpose === purpose) return same.made;
      const isStillWanted = () => underWay.get(contextIdentifier)?.made === made;
      const made = making().then((value) => {
        if (isStillWanted()) keep(contextIdentifier, purpose, value);
        return value;
      }).finally(() => {
        if (isStillWanted()) underWay.delete(contextIdentifier);
      });
      underWay.set(contextIdentifier, { purpose, made });
      return made;
    },
    put: keep,
    renew(contextIdentifier, isIt) {
      const found = kept.get(contextIdentifier);
      if (found !== undefined && isIt(found.value)) {
        found.until = monotonicMs() + keepMsOf(found.value);
      }
    },
    drop(contextIdentifier, isIt) {
      const found = kept.get(contextIdentifier);
      if (found !== undefined && isIt(found.value)) kept.delete(contextIdentifier);
    },
    forget(isOne) {
      for (const all of [kept, underWay]) {
        for (const contextIdentifier of all.keys()) {
          if (isOne(contextIdentifier)) all.delete(contextIdentifier);
        }
      }
    },
  };
}
