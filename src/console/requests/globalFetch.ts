import { Agent, setGlobalDispatcher } from "undici";
import { type Proxies, proxyFor } from "./proxies.ts";
import { createConnector } from "./tunnel.ts";

/** What is used of Deno's own. */
interface Deno {
  createHttpClient(options: {
    proxy: { url: string; basicAuth?: { username: string; password: string } };
  }): unknown;
}

/**
 * Makes the platform's own `fetch`, which a work script may use for hosts of its own, go through the proxies, too. On Node it
 * asks undici's dispatcher; Deno's takes a client with each request.
 */
export function sendFetchThrough(proxies: Proxies): void {
  const { Deno } = globalThis as { Deno?: Deno };
  if (Deno === undefined) {
    setGlobalDispatcher(new Agent({ connect: createConnector(proxies) }));
    return;
  }
  const plainFetch = globalThis.fetch;
  const [https, http] = [proxies.https, proxies.http].map((proxy) =>
    proxy && Deno.createHttpClient({
      proxy: { url: proxy.origin, ...(proxy.credentials && { basicAuth: proxy.credentials }) },
    })
  );
  globalThis.fetch = (input, init) => {
    const address = input instanceof Request ? input.url : String(input);
    const url = URL.canParse(address) ? new URL(address) : undefined;
    if (url === undefined || proxyFor(url, proxies) === undefined) return plainFetch(input, init);
    const options = { client: url.protocol === "https:" ? https : http, ...init };
    return plainFetch(input, options as RequestInit);
  };
}
