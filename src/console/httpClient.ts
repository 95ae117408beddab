import { Agent, type Dispatcher } from "undici";
import { RequestTimeoutError, UnreadableAnswerError } from "../superoffice/errors.ts";
import { HTTP_DEFAULTS, type HttpAnswer, networkError, type Send } from "../superoffice/http.ts";
import { StoppedError } from "./errors.ts";

/**
 * The fast transport: keeps connections open between requests, and sends each request once. (Deno's own `fetch` repeats one
 * whose connection closes before the answer.) Redirects are not followed.
 *
 * @param stop ends every request under way
 * @param usualTimeoutMs for requests that do not say so themselves
 *
 * What it gives throws what {@link Send} says, and {@link StoppedError}.
 *
 * @see https://undici.nodejs.org (api/Dispatcher, api/Agent)
 */
export function createHttpClient(
  stop: AbortSignal,
  usualTimeoutMs: number = HTTP_DEFAULTS.timeoutMs,
): Send {
  // A request's own time limit holds for the whole of it, to the answer's last byte. Connecting may take 10 seconds of
  // it: a connection that never comes about must not be waited for when nobody wants it any more.
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

  return (request) => {
    const { purpose, url, method = "GET", headers, body, signal } = request;
    const { timeoutMs = usualTimeoutMs, maxBytes = HTTP_DEFAULTS.maxBytes } = request;
    const { origin, host, pathname, search } = new URL(url);

    return new Promise<HttpAnswer>((resolve, reject) => {
      if (stop.aborted) throw new StoppedError(`Stopped during ${purpose}`);
      signal?.throwIfAborted();
      let connection: Dispatcher.DispatchController | undefined;
      let failure: Error | undefined;
      let answer: Pick<HttpAnswer, "status" | "headers">;
      const chunks: Uint8Array[] = [];
      let length = 0;

      const asking = {
        stop: () =>
          asking.fail(
            signal?.aborted ? signal.reason : new StoppedError(`Stopped during ${purpose}`),
          ),
        end() {
          clearTimeout(timer);
          stop.removeEventListener("abort", asking.stop);
          signal?.removeEventListener("abort", asking.stop);
        },
        fail(cause: Error) {
          if (failure !== undefined) return;
          failure = cause;
          asking.end();
          reject(failure);
          // A request that waits for its connection has none to end yet.
          connection?.abort(failure);
        },
        onRequestStart(started: Dispatcher.DispatchController) {
          connection = started;
          if (failure !== undefined) connection.abort(failure);
        },
        onResponseStart(_: unknown, status: number, headers: HttpAnswer["headers"]) {
          answer = { status, headers };
        },
        onResponseData(_: unknown, chunk: Uint8Array) {
          length += chunk.length;
          if (length <= maxBytes) chunks.push(chunk);
          else {
            const message = `${host} answered ${purpose} with more than ${maxBytes} bytes`;
            asking.fail(new UnreadableAnswerError(message));
          }
        },
        onResponseEnd() {
          asking.end();
          const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
          resolve({ purpose, host, ...answer, bytes });
        },
        onResponseError: (_: unknown, error: Error) => asking.fail(explained(error, host, purpose)),
      };
      const timer = setTimeout(() => {
        const seconds = Math.round(timeoutMs) / 1000;
        asking.fail(
          new RequestTimeoutError(
            `${host} did not answer ${purpose} within ${seconds} s`,
            host,
          ),
        );
      }, timeoutMs);
      stop.addEventListener("abort", asking.stop);
      signal?.addEventListener("abort", asking.stop);
      try {
        agent.dispatch({
          origin,
          path: pathname + search,
          method: method as Dispatcher.HttpMethod,
          headers: { accept: "application/json", ...headers },
          body: body ?? null,
        }, asking);
      } catch (error) {
        asking.fail(explained(error as Error, host, purpose));
      }
    });
  };
}

function explained(cause: Error & { code?: string }, host: string, purpose: string): Error {
  return cause.code === "UND_ERR_CONNECT_TIMEOUT"
    ? new RequestTimeoutError(`${host} took no connection for ${purpose} in time`, host)
    : networkError(cause, host, purpose);
}
