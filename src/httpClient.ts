import { Agent, type Dispatcher } from "undici";
import {
  ConsoleError,
  NetworkError,
  RequestTimeoutError,
  StoppedError,
  UnreadableAnswerError,
} from "./errors.ts";
import type { HttpAnswer, Send } from "./http.ts";

const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * An HTTP client that keeps connections open between requests, and sends each request once: what is repeated is for
 * its caller to say. (Deno's own `fetch` repeats one whose connection closes before the answer.) Redirects are not
 * followed.
 *
 * What it gives throws {@link NetworkError}, {@link RequestTimeoutError}, {@link StoppedError}, or
 * {@link UnreadableAnswerError} when the answer is longer than allowed.
 *
 * @see https://undici.nodejs.org (api/Dispatcher, api/Agent)
 */
export function createHttpClient(): Send {
  // A request's own time limit holds for the whole of it, to the answer's last byte. Connecting may take 10 seconds of
  // it: a connection that never comes about must not be waited for when nobody wants it any more.
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

  return (request, { timeoutMs, signal }) => {
    const { purpose, url, method = "GET", headers, body, maxBytes = MAX_ANSWER_BYTES } = request;
    const { origin, host, pathname, search } = new URL(url);

    return new Promise<HttpAnswer>((resolve, reject) => {
      if (signal.aborted) throw new StoppedError(`Stopped during ${purpose}`);
      let connection: Dispatcher.DispatchController | undefined;
      let failure: Error | undefined;
      let answer: Pick<HttpAnswer, "status" | "headers">;
      const chunks: Uint8Array[] = [];
      let length = 0;

      const asking = {
        stop: () => asking.fail(new StoppedError(`Stopped during ${purpose}`)),
        end() {
          clearTimeout(timer);
          signal.removeEventListener("abort", asking.stop);
        },
        fail(cause: Error) {
          if (failure !== undefined) return;
          failure = toConsoleError(cause, host, purpose);
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
        onResponseError: (_: unknown, error: Error) => asking.fail(error),
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
      signal.addEventListener("abort", asking.stop);
      try {
        agent.dispatch({
          origin,
          path: pathname + search,
          method: method as Dispatcher.HttpMethod,
          headers: { accept: "application/json", ...headers },
          body: body ?? null,
        }, asking);
      } catch (error) {
        asking.fail(error as Error);
      }
    });
  };
}

function toConsoleError(cause: Error & { code?: string }, host: string, purpose: string): Error {
  if (cause instanceof ConsoleError) return cause;
  if (cause.code === "UND_ERR_CONNECT_TIMEOUT") {
    return new RequestTimeoutError(`${host} took no connection for ${purpose} in time`, host);
  }
  return new NetworkError(`${host} could not be reached for ${purpose}: ${reasonOf(cause)}`, {
    cause,
  });
}

/** Where a host has several addresses, their reasons stand in an AggregateError. */
function reasonOf(error: Error): string {
  return error instanceof AggregateError && error.errors.length > 0
    ? reasonOf(error.errors[0])
    : error.message;
}
