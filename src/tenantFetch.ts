import type { Logger } from "@logtape/logtape";
import { BusyError, UnexpectedStatusError, UntrustedHostError } from "./errors.ts";
import { type HttpAnswer, unexpectedStatus } from "./http.ts";
import type { Customer } from "./loadCustomers.ts";
import { isPassing } from "./retry.ts";
import type { Tools } from "./step.ts";
import { withTicket } from "./withTicket.ts";

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const REPEATABLE_METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];
const STATUSES_WITHOUT_BODY = [204, 205, 304];

/**
 * `fetch` bound to one tenant: adds the credentials, sends them to that tenant alone, and mends what
 * {@link withTicket} mends. POST and PATCH are repeated only where the tenant said that it did nothing (status 401,
 * 421, 429, 503), since a repeat could otherwise do their work twice.
 *
 * @param api the tenant's address as it was told to the caller; requests follow the tenant when it moves
 *
 * The function it gives throws {@link UntrustedHostError} for an address outside `api`, and what
 * {@link withTicket} throws; it never throws for a status.
 */
export function createTenantFetch(
  customer: Customer,
  api: string,
  tools: Tools,
  log: Logger,
): typeof fetch {
  return async (input, init) => {
    const address = addressOf(input, api);
    const request = new Request(
      input instanceof Request ? new Request(address, input) : address,
      init,
    );
    request.signal.throwIfAborted();
    const path = request.url.slice(api.length);
    const call = `${request.method} ${path.split("?")[0]}`;
    const bytes = new Uint8Array(await request.arrayBuffer());
    const mayHaveDone = !REPEATABLE_METHODS.includes(request.method);
    let answer: HttpAnswer | undefined;
    let answersError: UnexpectedStatusError | undefined;
    const ending = new AbortController();
    const end = () => ending.abort();
    for (const signal of [tools.http.signal, request.signal]) signal.addEventListener("abort", end);
    if (request.signal.aborted) end();
    try {
      await withTicket(
        customer,
        tools,
        log,
        async ({ api, ticket, http }) => {
          answer = undefined;
          answer = await http.send(
            {
              purpose: call,
              url: `${api}${path}`,
              method: request.method,
              headers: {
                ...Object.fromEntries(request.headers),
                authorization: `SOTicket ${ticket}`,
                "so-apptoken": tools.application.clientSecret,
              },
              body: bytes.length > 0 ? bytes : undefined,
              maxBytes: MAX_ANSWER_BYTES,
            },
            { ...http, signal: ending.signal },
          );
          if (answer.status < 400) return;
          answersError = unexpectedStatus(answer);
          if ([401, 421].includes(answer.status) || isPassing(answersError)) throw answersError;
        },
        call,
        mayHaveDone ? wasNotDone : isPassing,
      );
    } catch (error) {
      if (request.signal.aborted && !tools.http.signal.aborted) throw request.signal.reason;
      if (answer === undefined || error !== answersError) throw error;
    } finally {
      for (const signal of [tools.http.signal, request.signal]) {
        signal.removeEventListener("abort", end);
      }
    }
    return toResponse(answer!);
  };
}

/** Gives the whole address of a path below `api`, or of an address that is. */
function addressOf(input: Parameters<typeof fetch>[0], api: string): string {
  const text = input instanceof Request ? input.url : String(input);
  const isWhole = /^[a-z][a-z\d+.-]*:|^\/\//i.test(text);
  const { href, origin } = new URL(isWhole ? text : `${api}/${text.replace(/^\//, "")}`, api);
  if (href.startsWith(`${api}/`)) return href;
  throw new UntrustedHostError(
    `The work script asked for ${origin}, not for the tenant's address, so nothing was sent`,
  );
}

function wasNotDone(error: unknown): boolean {
  return error instanceof BusyError && (error.status === 429 || error.status === 503);
}

function toResponse({ status, headers, bytes }: HttpAnswer): Response {
  const all = new Headers();
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values ?? []].flat()) all.append(name, value);
  }
  const body = STATUSES_WITHOUT_BODY.includes(status) ? null : new Uint8Array(bytes);
  return new Response(body, { status, headers: all });
}
