// A door in front of a database, which the test can shut in the ways in which databases go away.
import { EventEmitter, once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { endWithFile } from "./leftRunning.ts";

/** What becomes of a client that comes to the door. */
export type DoorPolicy =
  | "open"
  /** Taken and hung up on at once, as a load balancer does with nothing behind it. */
  | "hangUp"
  /** Told that there are too many already. */
  | "full"
  /** Hung up on when it says something for so manieth time. */
  | { hangUpAt: number };

export interface DatabaseDoor {
  databaseUrl: string;
  /** Emits `connection` when a client comes, and `said` when one says something, before it is handed on. */
  events: EventEmitter;
  /** How many clients came. */
  connections(): number;
  policy: DoorPolicy;
  /** Ends all connections, as a server does that is stopped. */
  cut(): void;
  /** Hands nothing on any more, to either side, until it is open again. */
  stall(): void;
  /** Nobody listens any more. */
  close(): Promise<void>;
  /** Somebody listens again, and hands on. */
  open(): Promise<void>;
}

/** Opens a door to a database, with a password in its address, which must never be printed. */
export async function openDatabaseDoor(
  databaseUrl: string,
  password: string,
): Promise<DatabaseDoor> {
  const { hostname, port: databasePort } = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const events = new EventEmitter();
  let connections = 0;
  let isStalled = false;
  let server: Server | undefined;
  let port = 0;

  function comeIn(client: Socket): void {
    connections++;
    events.emit("connection");
    client.on("error", () => {});
    if (door.policy === "hangUp") return void client.end();
    if (door.policy === "full") return sayFull(client);
    let left = typeof door.policy === "object" ? door.policy.hangUpAt : Infinity;
    const database = connect(Number(databasePort || 5432), hostname);
    handOn(client, database, () => {
      events.emit("said");
      return --left > 0;
    });
    handOn(database, client, () => true);
    for (const socket of [client, database]) {
      socket.setNoDelay();
      if (isStalled) socket.pause();
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => {
        sockets.delete(socket);
        client.destroy();
        database.destroy();
      });
    }
  }

  function handOn(from: Socket, to: Socket, mayPass: () => boolean): void {
    from.on("data", (bytes) => {
      if (mayPass()) to.write(bytes);
      else from.end();
    });
    from.on("end", () => to.end());
  }

  const door: DatabaseDoor = {
    databaseUrl: "",
    events,
    policy: "open",
    connections: () => connections,
    cut: () => sockets.forEach((socket) => socket.destroy()),
    stall() {
      isStalled = true;
      sockets.forEach((socket) => socket.pause());
    },
    async close() {
      if (server === undefined) return;
      const closed = once(server, "close");
      server.close();
      server = undefined;
      door.cut();
      await closed;
    },
    async open() {
      door.policy = "open";
      isStalled = false;
      sockets.forEach((socket) => socket.resume());
      if (server !== undefined) return;
      server = createServer(comeIn).listen(port, "127.0.0.1");
      await once(server, "listening");
      port = (server.address() as AddressInfo).port;
    },
  };
  await door.open();
  endWithFile(door.close);
  const url = new URL(databaseUrl);
  url.password = password;
  url.hostname = "127.0.0.1";
  url.port = String(port);
  door.databaseUrl = url.href;
  return door;
}

/** @see "ErrorResponse", https://www.postgresql.org/docs/current/protocol-message-formats.html */
function sayFull(client: Socket): void {
  client.once("data", () => {
    const fields = "SFATAL\0C53300\0Msorry, too many clients already\0\0";
    const length = Buffer.alloc(4);
    length.writeUInt32BE(4 + fields.length);
    client.end(Buffer.concat([Buffer.from("E"), length, Buffer.from(fields)]));
  });
}
