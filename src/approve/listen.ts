import type { IncomingMessage, ServerResponse } from "node:http";
import {
  openGuardedServer,
  type OpenServer,
  readBody,
} from "../console/listeners/guardedServer.ts";
import { CannotListenError } from "./errors.ts";
import { PAGE_HEADERS, pageHtml } from "./page.ts";
import type { Answering, Asking } from "./site.ts";

/** The answer to an approval fits well, in an address or a body. */
const MOST_BYTES = 8 * 1024;

/**
 * Listens at these addresses of this machine. Throws {@link CannotListenError}.
 *
 * @param answer answers a request; what it throws is said as status 500
 */
export async function listen(
  addresses: string[],
  port: number,
  answer: (asking: Asking) => Promise<Answering>,
): Promise<OpenServer> {
  const opened = await Promise.allSettled(
    addresses.map((address) =>
      openGuardedServer(
        address,
        port,
        (request, response) => serve(request, response, answer),
      )
    ),
  );
  const servers = opened.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
  const close = async () => void await Promise.all(servers.map(({ close }) => close()));
  const failures: NodeJS.ErrnoException[] = opened.flatMap((one) =>
    one.status === "rejected" ? [one.reason] : []
  );
  // A machine without IPv6 has one of the two.
  const failure = failures.find(({ code }) => !isAbsent(code)) ??
    (servers.length === 0 ? failures[0] : undefined);
  if (failure !== undefined) {
    await close();
    const places = addresses.map((address) => place(address, port)).join(" and ");
    throw new CannotListenError(`Nothing can listen at ${places}: ${reasonOf(failure)}`, {
      cause: failure,
    });
  }
  return { close };
}

function isAbsent(code: string | undefined): boolean {
  // The last is Deno's word for it.
  return ["EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL"].includes(code ?? "");
}

function place(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  const reasons: Record<string, string> = {
    EADDRINUSE: "something else listens there",
    EACCES: "this user may not listen on that port",
    ENOTFOUND: "there is no such host",
  };
  if (isAbsent(code)) return "this machine has no such address";
  return reasons[code ?? ""] ?? message;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (asking: Asking) => Promise<Answering>,
): Promise<void> {
  let answering: Answering;
  try {
    const [path = "", query = ""] = splitOnce(request.url ?? "");
    if (query.length > MOST_BYTES) throw new TooLongError();
    answering = await answer({
      method: request.method ?? "",
      host: request.headers.host,
      path,
      query: new URLSearchParams(query),
      cookie: request.headers.cookie,
      readForm: () => readForm(request),
    });
  } catch (error) {
    const tooLong = error instanceof TooLongError;
    const title = tooLong ? "That is too long" : "That did not work";
    answering = { status: tooLong ? 413 : 500, page: { mood: "ill", title, paragraphs: [] } };
  }
  const { status, page, location, setCookie, sent } = answering;
  if (sent !== undefined) response.once("close", sent);
  response.writeHead(status, {
    ...PAGE_HEADERS,
    ...(location !== undefined && { "Location": location }),
    ...(setCookie !== undefined && { "Set-Cookie": setCookie }),
    ...(page !== undefined && { "Content-Type": "text/html; charset=utf-8" }),
  });
  response.end(page === undefined || request.method === "HEAD" ? "" : pageHtml(page));
}

function splitOnce(url: string): string[] {
  const at = url.indexOf("?");
  return at < 0 ? [url] : [url.slice(0, at), url.slice(at + 1)];
}

class TooLongError extends Error {}

async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/x-www-form-urlencoded *(;|$)/i.test(type)) return undefined;
  const form = await readBody(request, MOST_BYTES);
  if (form === undefined) throw new TooLongError();
  return new URLSearchParams(form);
}
