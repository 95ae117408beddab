// The console, with real names that lead to servers of the test: only where a connection goes is changed, so that the runtime
// checks certificates and names as ever. TEST_PORTS holds JSON: by "host:port", the port of 127.0.0.1 that it leads to.
import net from "node:net";
import process from "node:process";

const ports: Record<string, number> = JSON.parse(process.env["TEST_PORTS"] ?? "{}");
const isHere = (host: unknown) => host === "127.0.0.1" || host === "localhost";
const connect = net.Socket.prototype.connect as (...args: unknown[]) => net.Socket;

// Plain connections and TLS, on Node and on Deno, by undici and by the Postgres client: all come through here.
net.Socket.prototype.connect = function (this: net.Socket, ...args: unknown[]) {
  const [first, ...more] = args.flat();
  const target = (typeof first === "object" ? first : { port: first, host: more[0] }) as {
    host: string;
    port: number | string;
  };
  if (isHere(target.host)) return connect.apply(this, args);
  const port = ports[`${target.host}:${target.port}`];
  if (port === undefined) {
    return this.destroy(new Error(`the test knows no ${target.host}:${target.port}`));
  }
  const whenConnected = more.find((value) => typeof value === "function");
  return connect.call(this, { ...target, host: "127.0.0.1", port }, whenConnected);
} as typeof net.Socket.prototype.connect;

await import("../../src/main.ts");
