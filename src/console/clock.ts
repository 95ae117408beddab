/** The time of day by SuperOffice's clock, as far as it is known to differ from this machine's. */
export interface Clock {
  now(): Date;
  /**
   * Compares the time that a refused token was signed at with SuperOffice's time. Where they are too far apart the
   * clock is corrected for what follows.
   *
   * @returns undefined when the times agree, so that they do not explain the refusal
   */
  correct(signedAt: Date, serverTime: Date): ClockDifference | undefined;
}

export interface ClockDifference {
  /** By how many seconds this machine's clock is ahead; negative: behind. */
  secondsAhead: number;
  /** Whether that was not known before. */
  isNews: boolean;
}

/** The minute of a signed system token is no finer. */
const TOLERANCE_MS = 60 * 1000;

/** A clock that starts as this machine's. */
export function createClock(machineTime: () => Date): Clock {
  let aheadMs = 0;
  return {
    now: () => new Date(machineTime().getTime() - aheadMs),
    correct(signedAt, serverTime) {
      if (Math.abs(signedAt.getTime() - serverTime.getTime()) < TOLERANCE_MS) return undefined;
      const foundMs = machineTime().getTime() - serverTime.getTime();
      const isNews = Math.abs(foundMs - aheadMs) >= TOLERANCE_MS;
      if (isNews) aheadMs = foundMs;
      return { secondsAhead: Math.round(foundMs / 1000), isNews };
    },
  };
}
