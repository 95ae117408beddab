import { NetworkError, RequestTimeoutError } from "../../superoffice/errors.ts";
import { type HttpAnswer, retryAfterMsOf, type Send } from "../../superoffice/http.ts";
import { ProxyError } from "../errors.ts";
import type { SendWhenDue } from "./pace.ts";
import type { Wait } from "../turns/turns.ts";

const MOST_REPEATS = 3;
const FIRST_WAIT_MS = 250;

/**
 * Makes a request, and again after trouble that a repeat may mend: no answer in time, a broken connection, status 408, 429
 * or 5xx; one that is `onceOnly` after 429 and 503 alone. It waits longer each time, up to twice as long by chance, and first
 * as long as the answer's `Retry-After` asks for. There are at most three repeats; none goes on when the request's time is
 * over, and none begins after `stop`.
 *
 * @param timeoutMs the time of a request with its repeats where it does not say so itself, which `send` knows, too
 * @param monotonicMs a clock in milliseconds that is never set back
 * @param wait waits before a repeat; what it takes longer than asked for is not the request's time
 *
 * What it gives gives or throws what the last try did, or throws the reason of `stop` or of the request's signal.
 */
export function repeated(
  send: SendWhenDue,
  timeoutMs: number,
  stop: AbortSignal,
  monotonicMs: () => number,
  wait: Wait,
): Send {
  return async (request) => {
    let endsAt = monotonicMs() + (request.timeoutMs ?? timeoutMs);
    const tellWaited = (ms: number) => void (endsAt += ms);
    for (let repeat = 0;; repeat++) {
      stop.throwIfAborted();
      request.signal?.throwIfAborted();
      let answer: HttpAnswer | undefined;
      let error: unknown;
      try {
        // The first try as it was given: a copy for each request would be felt.
        answer = await send(
          repeat === 0 ? request : { ...request, timeoutMs: endsAt - monotonicMs() },
          tellWaited,
        );
        if (answer.status < 400) return answer;
      } catch (thrown) {
        error = thrown;
      }
      const isWorthIt = repeat < MOST_REPEATS && mayPass(answer?.status, error, request.onceOnly);
      const askedMs = answer === undefined ? 0 : retryAfterMsOf(answer);
      const waitMs = FIRST_WAIT_MS * 2 ** repeat;
      if (!isWorthIt || askedMs + 2 * waitMs >= endsAt - monotonicMs()) {
        if (answer === undefined) throw error;
        return answer;
      }
      const ms = askedMs + waitMs * (1 + Math.random());
      const waitedAt = monotonicMs();
      await wait(request.contextIdentifier, ms, stop, request.signal);
      endsAt += Math.max(0, monotonicMs() - waitedAt - ms);
    }
  };
}

function mayPass(status: number | undefined, error: unknown, onceOnly = false): boolean {
  if (status === 429 || status === 503) return true;
  if (onceOnly) return false;
  if (status !== undefined) return status === 408 || status >= 500;
  if (error instanceof ProxyError && error.isRefusal) return false;
  if (error instanceof NetworkError) return error.certificateFault === undefined;
  return error instanceof RequestTimeoutError;
}
