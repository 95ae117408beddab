import { Agent, type Dispatcher } from "undici";
import { RequestTimeoutError, UnreadableAnswerError } from "../../superoffice/errors.ts";
import { HTTP_DEFAULTS, type HttpAnswer, networkError, type Send } from "../../superoffice/http.ts";
import { ProxyError, StoppedError } from "../errors.ts";
import { type Proxies, type Proxy, proxyFor } from "./proxies.ts";
import { createConnector } from "./tunnel.ts";

/**
 * The fast transport: keeps connections open between requests, and sends each request once. (Deno's own `fetch` repeats one
 * whose connection closes before the answer.) Redirects are not followed.
 *
 * @param stop ends every request under way
 * @param usualTimeoutMs for requests that do not say so themselves
 * @param proxies undefined where every host is asked directly
 *
 * What it gives throws what {@link Send} says, {@link StoppedError} and {@link ProxyError}.
 *
 * @see https://undici.nodejs.org (api/Dispatcher, api/Agent)
 */
export function createHttpClient(
  stop: AbortSignal,
  usualTimeoutMs: number = HTTP_DEFAULTS.timeoutMs,
  proxies?: Proxies,
): Send {
  // A request's own time limit holds for the whole of it, to the answer's last byte. Connecting may take 10 seconds of
  // it: a connection that never comes about must not be waited for when nobody wants it any more.
  const connector = proxies === undefined ? {} : { connect: createConnector(proxies) };
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, ...connector });

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
        onResponseError: (_: unknown, error: Error) =>
          asking.fail(explained(error, wayTo(url, proxies), purpose)),
      };
      const timer = setTimeout(() => {
        const isConnected = connection !== undefined;
        asking.fail(tooLate(wayTo(url, proxies), purpose, timeoutMs, isConnected));
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
        asking.fail(explained(error as Error, wayTo(url, proxies), purpose));
      }
    });
  };
}

/** How a host is reached. */
interface Way {
  host: string;
  proxy: Proxy | undefined;
  /** The host, and the proxy in between, as a person would say it. */
  place: string;
}

function wayTo(url: string, proxies: Proxies | undefined): Way {
  const address = new URL(url);
  const { host } = address;
  const proxy = proxyFor(address, proxies);
  const place = proxy === undefined ? host : `${host} (through the proxy ${proxy.host})`;
  return { host, proxy, place };
}

function tooLate(
  { host, proxy, place }: Way,
  purpose: string,
  timeoutMs: number,
  isConnected: boolean,
): Error {
  const within = `within ${Math.round(timeoutMs) / 1000} s`;
  if (proxy === undefined || isConnected) {
    return new RequestTimeoutError(`${place} did not answer ${purpose} ${within}`, host);
  }
  return new ProxyError(
    `Through the proxy ${proxy.host} no connection to ${host} came about for ${purpose} ${within}`,
  );
}

function explained(
  cause: Error & { code?: string },
  { host, place }: Way,
  purpose: string,
): Error {
  if (cause instanceof ProxyError) return cause;
  return cause.code === "UND_ERR_CONNECT_TIMEOUT"
    ? new RequestTimeoutError(`${place} took no connection for ${purpose} in time`, host)
    : networkError(cause, place, purpose);
}
