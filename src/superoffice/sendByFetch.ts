import { RequestTimeoutError, UnreadableAnswerError } from "./errors.ts";
import { HTTP_DEFAULTS, type HttpAnswer, type HttpRequest, networkError } from "./http.ts";

/**
 * The plain transport: one request by the platform's `fetch`, tried once, with a limit to its time and its answer's length.
 *
 * Beware of Deno, whose `fetch` itself may send a request a second time when the connection breaks before the answer. Where
 * that matters, since each exchange leaves a record in the tenant's database, give a `Send` of your own.
 *
 * Throws what `Send` says, and a TypeError for a header that cannot be sent.
 *
 * @example
 * ```ts
 * const { status, bytes } = await sendByFetch({ purpose: "a look", url: "https://example.com" });
 * ```
 */
export async function sendByFetch(request: HttpRequest): Promise<HttpAnswer> {
  const { purpose, url, method = "GET", headers, body, signal } = request;
  const { timeoutMs = HTTP_DEFAULTS.timeoutMs, maxBytes = HTTP_DEFAULTS.maxBytes } = request;
  const { host } = new URL(url);
  signal?.throwIfAborted();
  for (const [name, value] of Object.entries(headers ?? {})) {
    // `fetch` would refuse it too, and put the value, which may be a secret, into its message.
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value.trim())) {
      throw new TypeError(`The header ${name} of ${purpose} holds a character that cannot be sent`);
    }
  }
  const ending = new AbortController();
  const end = () => ending.abort(signal?.reason);
  signal?.addEventListener("abort", end);
  const timer = setTimeout(() => {
    const seconds = Math.round(timeoutMs) / 1000;
    const message = `${host} did not answer ${purpose} within ${seconds} s`;
    ending.abort(new RequestTimeoutError(message, host));
  }, timeoutMs);
  try {
    const response = await fetch(url, {
      method,
      headers: { accept: "application/json", ...headers },
      body: body ?? null,
      redirect: "manual",
      signal: ending.signal,
    });
    const bytes = await readBytes(response, maxBytes);
    if (bytes === undefined) {
      const message = `${host} answered ${purpose} with more than ${maxBytes} bytes`;
      throw new UnreadableAnswerError(message);
    }
    const { status } = response;
    return { purpose, host, status, headers: Object.fromEntries(response.headers), bytes };
  } catch (cause) {
    ending.signal.throwIfAborted();
    if (cause instanceof UnreadableAnswerError) throw cause;
    throw networkError(cause, host, purpose);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}

/** Reads a body to its end; undefined, and no further, when it is longer than allowed. */
async function readBytes(
  { body }: Response,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
