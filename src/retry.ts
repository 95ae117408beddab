import pRetry from "p-retry";
import { NetworkError, RequestTimeoutError, UnexpectedStatusError } from "./errors.ts";
import type { HttpOptions } from "./http.ts";
import { sleep } from "./sleep.ts";

const RETRIES = 3;
const FIRST_WAIT_MS = 250;
/** Jitter makes a wait up to twice as long. */
const MOST_JITTER = 2;

/**
 * Makes a request, and again after trouble that a repeat may mend. It waits longer each time, with jitter, and first as long as the answer's `Retry-After` asks for. There are at most
 * three repeats, none of which goes on after `endsAt`, and none once `http.signal` is aborted.
 *
 * @param attempt makes the request with the options that it gets: a repeat may take only the time that is left
 * @param mayRepeat which errors are worth another try, see {@link isPassing}
 * @param endsAt when the customer's own time is over, by the clock `monotonicMs`
 *
 * Throws what the last attempt threw, or the reason of `http.signal`.
 */
export async function retry<T>(
  attempt: (http: HttpOptions) => Promise<T>,
  http: HttpOptions,
  endsAt: number,
  monotonicMs: () => number,
  mayRepeat: (error: unknown) => boolean = isPassing,
): Promise<T> {
  try {
    http.signal.throwIfAborted();
    return await attempt(http);
  } catch (error) {
    if (!mayRepeat(error)) throw error;
    return await repeat(error, attempt, http, endsAt, monotonicMs, mayRepeat);
  }
}

async function repeat<T>(
  firstError: unknown,
  ...[attempt, http, endsAt, monotonicMs, mayRepeat]: Required<Parameters<typeof retry<T>>>
): Promise<T> {
  const msLeft = () => endsAt - monotonicMs();
  return await pRetry(
    (number) =>
      number === 1
        ? Promise.reject(firstError)
        : attempt({ ...http, timeoutMs: Math.min(http.timeoutMs, msLeft()) }),
    {
      retries: RETRIES,
      minTimeout: FIRST_WAIT_MS,
      factor: 2,
      randomize: true,
      signal: http.signal,
      async shouldRetry({ error, retriesConsumed }) {
        if (!mayRepeat(error)) return false;
        const askedMs = error instanceof UnexpectedStatusError ? error.retryAfterMs : 0;
        const longestWaitMs = askedMs + FIRST_WAIT_MS * MOST_JITTER * 2 ** retriesConsumed;
        if (longestWaitMs >= msLeft()) return false;
        await sleep(askedMs, http.signal);
        return true;
      },
    },
  );
}

/** Whether trouble may pass by itself: no answer in time, a broken connection, status 408, 429 or 5xx. */
export function isPassing(error: unknown): boolean {
  if (error instanceof UnexpectedStatusError) {
    return error.status === 408 || error.status === 429 || error.status >= 500;
  }
  return error instanceof NetworkError || error instanceof RequestTimeoutError;
}
