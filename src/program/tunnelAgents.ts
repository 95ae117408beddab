import type { Duplex } from "node:stream";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Proxies } from "../console/requests/proxies.ts";
import { createConnector } from "../console/requests/tunnel.ts";

/**
 * Gives, by an address's protocol, the agent for the platform's `http` and `https` that connects as {@link createConnector}
 * does; for libraries that send by these.
 */
export function tunnelAgents(proxies: Proxies): (protocol: string) => HttpAgent {
  const connect = createConnector(proxies);
  return (protocol) => {
    const agent = new (protocol === "https:" ? HttpsAgent : HttpAgent)({ keepAlive: true });
    agent.createConnection = ({ host, port }, done) => {
      const hostname = String(host);
      const place = hostname.includes(":") ? `[${hostname}]` : hostname;
      const target = { protocol, hostname, host: `${place}:${port}`, port: String(port) };
      connect(target, (error, socket) => done?.(error, socket as Duplex));
      return undefined;
    };
    return agent;
  };
}
