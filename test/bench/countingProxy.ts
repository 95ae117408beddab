// Stands between a client and Postgres, and counts the client's round trips.
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CountingProxy {
  databaseUrl: string;
  /** How often a client said something that it waits for the answer to (Sync or Query), the log-in aside. */
  roundTrips(): number;
  /** How many connections were made. */
  connections(): number;
  close(): Promise<void>;
}

const SYNC = "S".charCodeAt(0);
const SIMPLE_QUERY = "Q".charCodeAt(0);
const LENGTH_BYTES = 4;

export async function startCountingProxy(databaseUrl: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(databaseUrl);
  let roundTrips = 0;
  let connections = 0;
  const sockets = new Set<Socket>();

  const server = createServer((client) => {
    connections++;
    const upstream = connect(Number(port || 5432), hostname);
    const count = createMessageReader((type) => {
      if (type === SYNC || type === SIMPLE_QUERY) roundTrips++;
    });
    client.on("data", count);
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) {
      socket.setNoDelay();
      sockets.add(socket);
      // What breaks on one side ends the other.
      socket.on("error", () => {}).on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const url = new URL(databaseUrl);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);
  return {
    databaseUrl: url.href,
    roundTrips: () => roundTrips,
    connections: () => connections,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * Tells the type of each message in a client's stream. The first one, the start-up, has no type: it is told as 0.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
function createMessageReader(onMessage: (type: number) => void): (chunk: Buffer) => void {
  let unread: Buffer = Buffer.alloc(0);
  let isStartUp = true;
  return (chunk) => {
    unread = Buffer.concat([unread, chunk]);
    while (true) {
      const typeBytes = isStartUp ? 0 : 1;
      if (unread.length < typeBytes + LENGTH_BYTES) return;
      const end = typeBytes + unread.readUInt32BE(typeBytes);
      if (unread.length < end) return;
      onMessage(isStartUp ? 0 : unread[0]!);
      unread = unread.subarray(end);
      isStartUp = false;
    }
  };
}
