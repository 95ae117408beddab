import { isIPv4, isIPv6 } from "node:net";
import { isLoopback } from "../../superoffice/trustedHost.ts";

/** A proxy, which is asked to connect to the host that a request is for (CONNECT). */
export interface Proxy {
  /** For example `http://proxy.example:3128`. */
  origin: string;
  /** Host and port, for people. */
  host: string;
  /** What it wants to know of who asks: a secret. */
  credentials: { username: string; password: string } | undefined;
}

/** The proxies, by the protocol of the address that is asked for. */
export interface Proxies {
  https: Proxy | undefined;
  http: Proxy | undefined;
  /** The hosts that are asked directly, in lower case, as `NO_PROXY` names them. */
  direct: string[];
}

/** Gives the proxy in front of an address; undefined where it is asked directly. This machine itself always is. */
export function proxyFor(url: URL, proxies: Proxies | undefined): Proxy | undefined {
  if (proxies === undefined || isLoopback(url)) return undefined;
  if (proxies.direct.some((entry) => isNamedBy(entry, url))) return undefined;
  return url.protocol === "https:" ? proxies.https : proxies.http;
}

/** Whether an entry of `NO_PROXY` names a host: `*`, or a name with all that is below it, or an address; with a port or for all. */
function isNamedBy(entry: string, { hostname, port, protocol }: URL): boolean {
  if (entry === "*") return true;
  // One with a zone (fe80::1%eth0) stands in no address.
  const address = `http://[${entry}]`;
  if (isIPv6(entry) && URL.canParse(address)) return new URL(address).hostname === hostname;
  const [, name = "", only] = entry.match(/^(?:\*?\.)?(.+?)(?::(\d+))?$/) ?? [];
  if (only !== undefined && only !== (port || (protocol === "https:" ? "443" : "80"))) return false;
  const host = name.replace(/\.$/, "");
  return hostname === host || (!isIPv4(hostname) && hostname.endsWith(`.${host}`));
}
