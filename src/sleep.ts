import { setTimeout as delay } from "node:timers/promises";

/** Waits for `ms` milliseconds, or until `stop`. */
export async function sleep(ms: number, stop: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  await delay(ms, undefined, { signal: stop }).catch(() => {});
}
