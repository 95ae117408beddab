import { sleep } from "./sleep.ts";

/**
 * Makes what waits for so many milliseconds, or until `stop`: for thousands at once, since those whose times end in the same step
 * wait together.
 *
 * @param stepMs how much too long a wait may be
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createAlarm(
  stepMs: number,
  stop: AbortSignal,
  monotonicMs: () => number,
): (ms: number) => Promise<void> {
  const waits = new Map<number, Promise<void>>();
  return (ms) => {
    const step = Math.ceil((monotonicMs() + ms) / stepMs);
    let wait = waits.get(step);
    if (wait === undefined) {
      wait = sleep(step * stepMs - monotonicMs(), stop).then(() => void waits.delete(step));
      waits.set(step, wait);
    }
    return wait;
  };
}
