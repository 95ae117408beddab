// A proxy that connects (CONNECT) to names that lead to servers of the test, and counts.
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:https";
import type { Certificate } from "./certificates.ts";
import { endWithFile } from "./leftRunning.ts";

export interface ConnectProxy {
  /** For example `127.0.0.1:3128`. */
  host: string;
  /** The places that it was asked to connect to, one for each connection. */
  places: string[];
  /** The credentials that came with each, `user:password`. */
  credentials: string[];
  close(): Promise<void>;
}

/** How it answers in place of connecting: with this status, or not at all. */
export type Refusal = number | "silence";

/** @param ports the ports of 127.0.0.1 that places lead to, by `host:port`; what is asked for elsewhere gets status 502 */
export async function startConnectProxy(
  ports: Record<string, number>,
  { refusal, certificate }: { refusal?: Refusal; certificate?: Certificate } = {},
): Promise<ConnectProxy> {
  const places: string[] = [];
  const credentials: string[] = [];
  const sockets = new Set<Duplex>();

  const note = (place: string, authorization = "") => {
    places.push(place);
    credentials.push(Buffer.from(authorization.replace("Basic ", ""), "base64").toString());
  };
  // Deno's own fetch asks for http addresses so; everything else asks for a connection.
  const answer: RequestListener = (request, response) => {
    const { host } = new URL(request.url ?? "");
    note(`${host}:80`, request.headers["proxy-authorization"]);
    response.end("answered by the proxy");
  };
  const server = certificate === undefined
    ? createServer(answer)
    : createTlsServer(certificate, answer);
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.on("connect", (request, client, head) => {
    const place = request.url ?? "";
    note(place, request.headers["proxy-authorization"]);
    client.on("error", () => {});
    if (refusal === "silence") return;
    const port = ports[place];
    if (refusal !== undefined || port === undefined) {
      client.end(`HTTP/1.1 ${refusal ?? 502} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const upstream = connect(port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head);
      client.pipe(upstream).pipe(client);
    });
    sockets.add(upstream);
    for (const socket of [client, upstream]) {
      // What breaks on one side ends the other.
      socket.on("error", () => {}).on("close", () => {
        client.destroy();
        upstream.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    places,
    credentials,
    close: endWithFile(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }),
  };
}
