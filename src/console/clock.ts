/** The time of day by SuperOffice's clock, as far as it is known to differ from this machine's. */
export interface Clock {
  now(): Date;
  /**
   * What the time would be if an answer's time were right: for one more try with a token that was refused for its time.
   *
   * @returns undefined when the times agree, so that they do not explain the refusal, or are more than a day apart
   */
  suspect(signedAt: Date, serverTime: Date): Suspicion | undefined;
  /** Goes by a suspicion that proved right from now on; gives whether that is news. */
  adopt(suspicion: Suspicion): boolean;
  /** Goes by this machine's clock again. */
  forget(): void;
}

/** A clock that may be the right one. */
export interface Suspicion {
  now(): Date;
  /** By how many milliseconds this machine's clock would be ahead; negative: behind. */
  aheadMs: number;
}

/** The minute of a signed system token is no finer. */
const TOLERANCE_MS = 60 * 1000;
/** With a clock that is further off no certificate is valid, so that it is the answer that is wrong. */
const MOST_MS = 24 * 3600 * 1000;

/** A clock that starts as this machine's. */
export function createClock(machineTime: () => Date): Clock {
  let knownMs = 0;
  const timeAt = (aheadMs: number) => new Date(machineTime().getTime() - aheadMs);
  return {
    now: () => timeAt(knownMs),
    suspect(signedAt, serverTime) {
      if (Math.abs(signedAt.getTime() - serverTime.getTime()) < TOLERANCE_MS) return undefined;
      const aheadMs = machineTime().getTime() - serverTime.getTime();
      return Math.abs(aheadMs) > MOST_MS ? undefined : { aheadMs, now: () => timeAt(aheadMs) };
    },
    adopt({ aheadMs }) {
      const isNews = Math.abs(aheadMs - knownMs) >= TOLERANCE_MS;
      if (isNews) knownMs = aheadMs;
      return isNews;
    },
    forget: () => void (knownMs = 0),
  };
}
