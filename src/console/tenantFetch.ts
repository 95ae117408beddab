import { UntrustedHostError } from "../superoffice/errors.ts";
import type { HttpAnswer } from "../superoffice/http.ts";
import type { Call } from "../superoffice/logOn.ts";
import type { Tenant } from "../superoffice/tenant.ts";

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const REPEATABLE_METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];
const STATUSES_WITHOUT_BODY = [204, 205, 304];

/**
 * `fetch` bound to one tenant: `call` with another request. It adds the credentials, sends them to that tenant alone, and is
 * as patient as `call` is; POST and PATCH are repeated only where the tenant said that it did nothing (status 401, 421, 429,
 * 503), since a repeat could otherwise do their work twice. Its signal and its body go with that request alone.
 *
 * @param api the tenant's address as it was told to the caller; requests follow the tenant when it moves
 *
 * The function it gives throws {@link UntrustedHostError} for an address outside `api`, the reason of its signal, and what
 * `call` throws; it never throws for a status.
 */
export function createTenantFetch(tenant: Tenant, api: string, call: Call): typeof fetch {
  return async (input, init) => {
    const address = addressOf(input, api);
    const request = new Request(
      input instanceof Request ? new Request(address, input) : address,
      init,
    );
    // The caller's own: a signal that only follows it can be lost with its Request.
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    signal?.throwIfAborted();
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal?.reason);
      signal?.addEventListener("abort", abort);
    });
    const { method } = request;
    const path = request.url.slice(`${api}/`.length);
    try {
      const body = new Uint8Array(await Promise.race([request.arrayBuffer(), aborted]));
      const called = call(tenant, {
        path,
        purpose: `${method} /${path.split("?")[0]}`,
        method,
        headers: Object.fromEntries(request.headers),
        body: body.length > 0 ? body : undefined,
        signal,
        maxBytes: MAX_ANSWER_BYTES,
        onceOnly: !REPEATABLE_METHODS.includes(method),
      });
      // What is under way for others too, such as an exchange, goes on without it.
      const { answer } = await Promise.race([called, aborted]);
      return toResponse(answer);
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  };
}

/** Gives the whole address of a path below `api`, or of an address that is. */
function addressOf(input: Parameters<typeof fetch>[0], api: string): string {
  const text = input instanceof Request ? input.url : String(input);
  const isWhole = /^[a-z][a-z\d+.-]*:|^\/\//i.test(text);
  const { href, origin, protocol } = new URL(
    isWhole ? text : `${api}/${text.replace(/^\//, "")}`,
    api,
  );
  if (href.startsWith(`${api}/`)) return href;
  const error = new UntrustedHostError(
    `The work script asked for ${
      origin === "null" ? protocol : origin
    }, not for the tenant's address, so nothing was sent`,
  );
  error.remedy =
    "Its own fetch adds the tenant's credentials and is for the tenant alone: use globalThis.fetch for another host.";
  throw error;
}

function toResponse({ status, headers, bytes }: HttpAnswer): Response {
  const all = new Headers();
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values ?? []].flat()) all.append(name, value);
  }
  const body = STATUSES_WITHOUT_BODY.includes(status) ? null : new Uint8Array(bytes);
  return new Response(body, { status, headers: all });
}
