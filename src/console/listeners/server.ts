// A small HTTP server for the few things that are asked of the console from outside: it holds out against whoever reaches its port.
import { createServer, type IncomingMessage, type Server } from "node:http";
import { ListenError } from "../errors.ts";

/** Where a server listens. */
export interface Address {
  /** A name or an address, without brackets. */
  host: string;
  port: number;
}

/** What is answered: a line of text. */
export interface Answer {
  status: number;
  text: string;
  headers?: Record<string, string>;
}

/** What is there at a path. */
export interface Route {
  /** Letter case and a slash at the end do not matter. */
  path: string;
  methods: string[];
  /** Should not reject. */
  answer(request: IncomingMessage): Answer | Promise<Answer>;
}

/** A server that listens. */
export interface OpenServer {
  /** Takes nobody any more; who has been heard is answered, for a moment. */
  close(): Promise<void>;
}

/** How long somebody may take to say what it wants, and how long to say all of it. */
const HEADERS_MS = 5000;
const REQUEST_MS = 10_000;
const LOOK_MS = 1000;
/** How many may be connected at once; a proxy in front needs few. */
const MOST_CONNECTIONS = 100;
const MOST_HEADER_BYTES = 16 * 1024;
/** How long those who were heard are answered when it closes. */
const LAST_ANSWERS_MS = 1000;

/**
 * Listens at an address. Each connection is for one request, so that a slow one ends whoever it is from. Throws {@link ListenError}
 * where nothing can listen there.
 */
export async function openServer(address: Address, routes: Route[]): Promise<OpenServer> {
  const server = createServer({
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: LOOK_MS,
    maxHeaderSize: MOST_HEADER_BYTES,
  }, (request, response) => {
    request.on("error", () => {});
    response.on("error", () => {});
    void answerOf(request, routes).then(({ status, text, headers }) => {
      response.writeHead(status, {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-store",
        Connection: "close",
        ...headers,
      });
      response.end(request.method === "HEAD" ? undefined : `${text}\n`);
    }).catch(() => request.destroy());
  });
  server.maxConnections = MOST_CONNECTIONS;
  // Also who does not read what it is answered.
  server.setTimeout(REQUEST_MS);
  server.on("clientError", (_error, socket) => socket.destroy());
  await listening(server, address);
  return {
    close: () =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS_MS);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

function listening(server: Server, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    function fail(error: Error & { code?: string }): void {
      const reason = error.code === "EADDRINUSE"
        ? "something else listens there already"
        : error.message;
      reject(
        new ListenError(`The console cannot listen at ${shown({ host, port })}: ${reason}`, {
          cause: error,
        }),
      );
    }
    server.once("error", fail);
    try {
      server.listen(port, host, () => {
        // Out of file descriptors, for example: it goes on with the next one.
        server.removeAllListeners("error").on("error", () => {});
        resolve();
      });
    } catch (error) {
      // So does Deno where it may not listen there.
      fail(error as Error);
    }
  });
}

/** As it stands in an address. */
export function shown({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function answerOf(request: IncomingMessage, routes: Route[]): Promise<Answer> {
  const path = (request.url ?? "").split("?")[0]!.toLowerCase().replace(/(?<=.)\/$/, "");
  const route = routes.find((route) => route.path.toLowerCase() === path);
  if (route === undefined) return { status: 404, text: "There is nothing here." };
  if (route.methods.includes(request.method ?? "")) return await route.answer(request);
  const Allow = route.methods.join(", ");
  return { status: 405, text: `Here it is ${Allow} alone.`, headers: { Allow } };
}

/** Gives the body as text; undefined where it is longer than `mostBytes`, or breaks off. */
export function readBody(
  request: IncomingMessage,
  mostBytes: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const parts: Uint8Array[] = [];
    let length = Number(request.headers["content-length"] ?? 0);
    if (length > mostBytes) return resolve(undefined);
    length = 0;
    // What is left is read and thrown away, or the answer would not arrive.
    request.on("data", (part: Uint8Array) => {
      length += part.length;
      if (length <= mostBytes) parts.push(part);
      else resolve(undefined);
    });
    request.on("end", () => resolve(new TextDecoder().decode(Buffer.concat(parts))));
    request.on("close", () => resolve(undefined));
  });
}
