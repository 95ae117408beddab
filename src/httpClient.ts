import { Agent, type Dispatcher, request } from "undici";
import type { Fetch } from "./http.ts";

/**
 * An HTTP client of the form of `fetch` that keeps connections open between requests. It sends each request once
 * (Deno's own `fetch` repeats one whose connection closes before the answer, which for an exchange would leave a
 * second record in the tenant's database), and is faster than the platforms' `fetch`.
 *
 * @see https://undici.nodejs.org (api/Dispatcher, api/Agent)
 */
export function createHttpClient(): Fetch {
  // sendRequest has its own time limit, for the whole of a request.
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 0 } });
  return async (url, { method, headers, body = null, signal }) => {
    const { statusCode, headers: received, body: stream } = await request(url, {
      dispatcher,
      method: method as Dispatcher.HttpMethod,
      headers,
      body,
      signal,
    });
    return {
      status: statusCode,
      headers: {
        get: (name) => [received[name.toLowerCase()]].flat()[0] ?? null,
        forEach: (tell) => new Headers(received as Record<string, string>).forEach(tell),
      },
      body: stream,
    };
  };
}
