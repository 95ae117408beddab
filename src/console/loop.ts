import { sleep } from "./sleep.ts";

/**
 * Starts a poll every `pollMs` milliseconds, counted from start to start, until `stop`; then waits for the
 * polls under way. A poll that has not yet taken all its customers when the next is due delays it.
 *
 * @param wait waits for the next poll's time, where that is another
 */
export async function everySoOften(
  startPoll: () => Promise<{ done: Promise<unknown> }>,
  pollMs: number,
  stop: AbortSignal,
  monotonicMs: () => number,
  wait = (startedAt: number) => sleep(startedAt + pollMs - monotonicMs(), stop),
): Promise<void> {
  const underWay = new Set<Promise<unknown>>();
  while (!stop.aborted) {
    const startedAt = monotonicMs();
    const poll = await startPoll();
    const done = poll.done.finally(() => underWay.delete(done));
    underWay.add(done);
    await wait(startedAt);
  }
  await Promise.all(underWay);
}
