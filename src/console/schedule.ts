/** 2 to the power of 64, divided by the golden ratio. */
const GOLDEN = 0x9e3779b97f4a7c15n;

/**
 * Gives the first of a customer's moments at or after `fromMs`. They come every `intervalMs` and follow from its row's id alone:
 * the same on every console and after each start. Those of consecutive ids are spread evenly over the interval.
 *
 * @param fromMs by the database's clock; as the interval, in whole milliseconds, so that no moment is lost between two windows
 *
 * @see Knuth, "The Art of Computer Programming", section 6.4: Fibonacci hashing
 */
export function nextMoment(id: string, fromMs: number, intervalMs: number): number {
  const ownMs = Math.floor(fractionOf(id) * intervalMs);
  const leftMs = (ownMs - fromMs) % intervalMs;
  return fromMs + (leftMs < 0 ? leftMs + intervalMs : leftMs);
}

/** From 0 to below 1. */
function fractionOf(id: string): number {
  return Number(BigInt.asUintN(64, BigInt(id) * GOLDEN) >> 11n) / 2 ** 53;
}
