// Servers that speak TLS in front of the test's plain ones.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import type { Certificate } from "./certificates.ts";
import { endWithFile } from "./leftRunning.ts";

export interface TlsServer {
  /** On 127.0.0.1. */
  port: number;
  /** How many clients connected. */
  connections(): number;
  /** How many bytes they said after the handshake, in clear. */
  bytesHeard(): number;
}

/** Speaks TLS with this certificate, and hands on what it hears to a port of this machine. */
export async function startTlsServer(certificate: Certificate, port: number): Promise<TlsServer> {
  let connections = 0;
  let bytesHeard = 0;
  const tls = createTlsServer(certificate, (socket) => {
    socket.on("data", (bytes) => void (bytesHeard += bytes.length));
    join(socket, port);
  });
  // Clients that do not like the certificate hang up.
  tls.on("tlsClientError", () => {});
  const inside = await listen(tls);
  // A door of its own, since it counts those, too, that never begin to speak TLS.
  const door = createServer((socket) => {
    connections++;
    join(socket, inside);
  });
  return {
    port: await listen(door),
    connections: () => connections,
    bytesHeard: () => bytesHeard,
  };
}

/** Speaks to clients of Postgres that ask for TLS, which begins after one plain question and answer. */
export async function startPostgresTlsServer(
  certificate: Certificate,
  port: number,
): Promise<TlsServer> {
  const server = await startTlsServer(certificate, port);
  const door = createServer((socket) =>
    answerTlsRequest(socket, "S", () => join(socket, server.port))
  );
  return { ...server, port: await listen(door) };
}

/** A Postgres without TLS, as far as a client hears that asks for it: it says so, and hangs up on what follows. */
export async function startPostgresWithoutTls(): Promise<number> {
  return await listen(createServer((socket) => {
    answerTlsRequest(socket, "N", () => socket.once("data", () => socket.destroy()));
  }));
}

/** @see "SSL Session Encryption", https://www.postgresql.org/docs/current/protocol-flow.html */
function answerTlsRequest(socket: Socket, answer: "S" | "N", goOn: () => void): void {
  socket.on("error", () => {});
  socket.once("data", (request) => {
    if (request.readInt32BE(4) !== 80877103) return socket.destroy();
    socket.pause();
    goOn();
    socket.write(answer);
    socket.resume();
  });
}

/** Hands on what each says to the other, until one of them ends. */
function join(socket: Socket, port: number): void {
  const other = connect(port, "127.0.0.1");
  // That one of them hangs up in the middle is what some tests want.
  pipeline(socket, other, () => {});
  pipeline(other, socket, () => {});
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  endWithFile(() => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
