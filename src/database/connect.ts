// Connections to the database server, and what is seen of it while they are made: the client tells less.
import { connect, type Socket } from "node:net";

/** The server that an address names, and what its last connection showed. */
export interface Server {
  /** Where it is; more than one where it has standbys. */
  places: { host: string; port: number }[];
  /** How many connections failed one after the other. */
  failures: number;
  /** Whether it took the last connection. */
  isConnected: boolean;
  /** What it spoke then, undefined while it said nothing. */
  speaks: "Postgres" | "Postgres without TLS" | "HTTP" | "TLS" | "something else" | undefined;
}

/** How the client wants to be connected. */
export interface Way {
  /** A socket in the file system, in place of host and port. */
  path?: string | false;
  ssl?: unknown;
}

/** A server of which nothing was seen yet. */
export function createServer(): Server {
  return { places: [], failures: 0, isConnected: false, speaks: undefined };
}

/**
 * Gives what connects to each of the server's places in turn. Left alone, the client connects again at once, without end and
 * without a word, to a server that hangs up on it before it has answered: a load balancer with nothing behind it, or a server
 * that is starting. Here that is an error.
 */
export function createConnect(server: Server): (way: Way) => Socket {
  let times = 0;
  return ({ path, ssl }) => {
    const { host, port } = server.places[times++ % server.places.length]!;
    const socket = path ? connect(path) : connect(port, host);
    tellCloseAlone(socket);
    server.isConnected = false;
    server.speaks = undefined;
    socket.once("connect", () => void (server.isConnected = true));
    const hangUp = (message: string) =>
      socket.destroy(Object.assign(new Error(message), { code: "CONNECTION_CLOSED" }));
    let isPostgres = false;
    socket.once("data", (bytes) => {
      server.speaks = languageOf(bytes, ssl);
      isPostgres = server.speaks === "Postgres";
      if (isPostgres) server.failures = 0;
      // The client would wait for more. (Where it asked for TLS it hangs up itself.)
      else if (!ssl) hangUp("the server is no Postgres");
    });
    socket.on("end", () => hangUp("the server hung up"));
    socket.once("error", (error) => {
      if (!isPostgres) server.failures++;
      // What fails at once does so before the client listens.
      if (socket.listenerCount("error") > 0) return;
      setImmediate(() => {
        socket.emit("error", error);
        socket.emit("close");
      });
    });
    // The client takes the name for TLS from here.
    return Object.assign(socket, { host, port });
  };
}

/** Where the close is said to come from an error, the client leaves without an answer what it was given after that error. */
function tellCloseAlone(socket: Socket): void {
  const emit = socket.emit.bind(socket) as (event: string | symbol, ...rest: unknown[]) => boolean;
  socket.emit = (event: string | symbol, ...rest: unknown[]) =>
    event === "close" ? emit(event, false) : emit(event, ...rest);
}

/**
 * What speaks so: the first bytes of an answer to a client that asked for TLS (as `ssl` says) or began to log in.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
function languageOf(bytes: Uint8Array, ssl: unknown): Server["speaks"] {
  const text = Buffer.from(bytes).toString("latin1");
  if (ssl && text === "S") return "Postgres";
  if (ssl && text === "N") return ssl === "prefer" ? "Postgres" : "Postgres without TLS";
  // Authentication, error, notice, or another version of the protocol; each with its length behind it.
  if (/^[RENv]\0/.test(text)) return "Postgres";
  if (/^HTTP\//.test(text)) return "HTTP";
  // An alert.
  return text.startsWith("\x15\x03") ? "TLS" : "something else";
}

/** Trouble with a connection, by the codes of the runtime and the client. */
const CONNECTION_TROUBLE = [
  "ECONNRESET",
  "EPIPE",
  "CONNECT_TIMEOUT",
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
];

/** The true cause of trouble with a connection, by what was seen of the server; any other cause as it is. */
export function trueCause(cause: unknown, { speaks, isConnected }: Server): unknown {
  const { code = "" } = cause as { code?: string };
  if (!CONNECTION_TROUBLE.includes(code) || speaks === "Postgres") return cause;
  const because = (code: string, message: string) =>
    Object.assign(new Error(message, { cause }), { code });
  if (speaks === "Postgres without TLS") return because("NO_TLS", "it takes no TLS");
  if (speaks !== undefined) return because("NO_POSTGRES", `it speaks ${speaks}`);
  return code === "CONNECT_TIMEOUT" && isConnected ? because("SILENT", "it says nothing") : cause;
}
