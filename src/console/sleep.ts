/** Waits for `ms` milliseconds, or until one of `stops` is aborted. */
export async function sleep(ms: number, ...stops: (AbortSignal | undefined)[]): Promise<void> {
  if (ms <= 0 || stops.some((stop) => stop?.aborted)) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      for (const stop of stops) stop?.removeEventListener("abort", end);
      resolve();
    }
    for (const stop of stops) stop?.addEventListener("abort", end);
  });
}
