/**
 * Makes what says whether something may be done now: so often a second in the long run, and so often at once.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createBucket(
  perSecond: number,
  atOnce: number,
  monotonicMs: () => number,
): () => boolean {
  let left = atOnce;
  let lookedAtMs = monotonicMs();
  return () => {
    const now = monotonicMs();
    left = Math.min(atOnce, left + (now - lookedAtMs) * perSecond / 1000);
    lookedAtMs = now;
    if (left < 1) return false;
    left--;
    return true;
  };
}
