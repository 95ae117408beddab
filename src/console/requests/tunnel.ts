import type { Socket } from "node:net";
import { buildConnector, Pool } from "undici";
import { networkError } from "../../superoffice/http.ts";
import { ProxyError } from "../errors.ts";
import { type Proxies, type Proxy, proxyFor } from "./proxies.ts";

/** How long a proxy may take to be reached, and to say whether it connects. */
const ANSWER_MS = 10_000;

/**
 * Gives what makes connections: through the proxy in front of the host that they are for, as a tunnel whatever is said in it,
 * or else straight to that host. TLS is spoken with the host itself. A connection that the proxy does not give fails with
 * {@link ProxyError}.
 *
 * @see "CONNECT", https://www.rfc-editor.org/rfc/rfc9110#name-connect
 * @see https://undici.nodejs.org (api/Connector)
 */
export function createConnector(proxies: Proxies): buildConnector.connector {
  const connect = buildConnector({});
  const pools = new Map<Proxy, Pool>();

  // The header Host names the host behind the proxy, whose certificate undici would expect of the proxy itself.
  const connectToProxy: buildConnector.connector = (target, done) =>
    connect({ ...target, servername: "" }, done);

  function poolOf(proxy: Proxy): Pool {
    const options = { headersTimeout: ANSWER_MS, connect: connectToProxy };
    const pool = pools.get(proxy) ?? new Pool(proxy.origin, options);
    pools.set(proxy, pool);
    return pool;
  }

  return (target, done) => {
    const { protocol, host } = target;
    const proxy = proxyFor(new URL(`${protocol}//${host}`), proxies);
    if (proxy === undefined) return connect(target, done);
    const isTls = protocol === "https:";
    const place = target.port ? host ?? "" : `${host}:${isTls ? 443 : 80}`;
    openTunnel(poolOf(proxy), proxy, place).then(
      (socket) => isTls ? connect({ ...target, httpSocket: socket }, done) : done(null, socket),
      (error) => done(error, null),
    );
  };
}

/** Has the proxy connect to a host and port. Throws {@link ProxyError}. */
async function openTunnel(pool: Pool, proxy: Proxy, place: string): Promise<Socket> {
  const headers = { host: place, ...authorizationOf(proxy) };
  const { statusCode, socket } = await pool.connect({ path: place, headers }).catch((cause) => {
    throw noAnswer(cause, proxy, place);
  });
  if (statusCode >= 200 && statusCode < 300) return socket as Socket;
  socket.on("error", () => {}).destroy();
  throw new ProxyError(
    `The proxy ${proxy.host} gave no connection to ${place}: it answered with status ${statusCode}`,
    { status: statusCode },
  );
}

function authorizationOf({ credentials }: Proxy): Record<string, string> {
  if (credentials === undefined) return {};
  const pair = Buffer.from(`${credentials.username}:${credentials.password}`);
  return { "proxy-authorization": `Basic ${pair.toString("base64")}` };
}

function noAnswer(cause: Error & { code?: string }, { host }: Proxy, place: string): ProxyError {
  if (/^UND_ERR_(CONNECT|HEADERS)_TIMEOUT$/.test(cause.code ?? "")) {
    const message = `The proxy ${host} said nothing within ${ANSWER_MS / 1000} s, ` +
      `when it was to connect to ${place}`;
    return new ProxyError(message, { cause });
  }
  const purpose = `a connection to ${place}`;
  const { message, certificateFault } = networkError(cause, `The proxy ${host}`, purpose);
  return new ProxyError(message, { cause, certificateFault });
}
