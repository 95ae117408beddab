// An HTTP server that holds out against whoever reaches its port: who is slow, who says too much, who takes up all connections.
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";

/** A server that listens. */
export interface OpenServer {
  /** Takes nobody any more; who has been heard is answered, for a moment. */
  close(): Promise<void>;
}

/** How long somebody may take to say what it wants, and how long to say all of it. */
const HEADERS_MS = 5000;
const REQUEST_MS = 10_000;
const LOOK_MS = 1000;
const MOST_HEADER_BYTES = 16 * 1024;
/** How many may be connected at once; browsers and a proxy in front need few. */
const MOST_CONNECTIONS = 100;
/** How long those who were heard are answered when it closes. */
const LAST_ANSWERS_MS = 1000;

/**
 * Listens at an address. Each connection is for one request, and every answer says so. Rejects with the system's error where
 * nothing can listen there.
 *
 * @param host a name or an address, without brackets
 */
export async function openGuardedServer(
  host: string,
  port: number,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<OpenServer> {
  const limits = {
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: LOOK_MS,
    maxHeaderSize: MOST_HEADER_BYTES,
  };
  const heard = new WeakSet<Socket>();
  const handle: RequestListener = (request, response) => {
    // One that says more before it was answered could say any number of requests at once.
    if (heard.has(request.socket)) return void request.socket.destroy();
    heard.add(request.socket);
    response.setHeader("Connection", "close");
    // Who goes away in the middle is no trouble of anybody's.
    request.on("error", () => {});
    response.on("error", () => {});
    answer(request, response).catch(() => request.destroy());
  };
  const server = createServer(limits, handle);
  server.on("clientError", (_error, socket) => socket.destroy());
  makeRoom(server);
  await listening(server, host, port);
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

/**
 * Where too many are connected, the one goes that has been connected for the longest time without having said all that it wants,
 * or, where all have, the one that waits for its answer for the longest time: an answer takes a moment, so that who only takes up
 * room keeps nobody out.
 */
function makeRoom(server: Server): void {
  /** In the order of their age, with what each has begun to say. */
  const connected = new Map<Socket, IncomingMessage | undefined>();
  server.on("connection", (socket: Socket) => {
    if (connected.size >= MOST_CONNECTIONS) {
      const all = [...connected];
      const [leaves] = all.find(([, request]) => !request?.complete) ?? all[0]!;
      connected.delete(leaves);
      leaves.destroy();
    }
    connected.set(socket, undefined);
    socket.once("close", () => connected.delete(socket));
  });
  server.on("request", (request) => {
    if (connected.has(request.socket)) connected.set(request.socket, request);
  });
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Deno throws where it may not listen there, and so rejects this.
    server.listen(port, host, () => {
      // Out of file descriptors, for example: it goes on with the next one.
      server.removeAllListeners("error").on("error", () => {});
      resolve();
    });
  });
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
