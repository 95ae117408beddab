import { isLoopback } from "../superoffice/trustedHost.ts";
import type { Variables } from "./variables.ts";

/** Where the answer to an approval is waited for. */
export interface Listening {
  /** Where the browser brings it, as it is registered. */
  redirectUrl: string;
  /** The addresses of this machine that are listened on. */
  addresses: string[];
  port: number;
  /** By which names the listener may be asked, each a host with its port where it is not the usual one. */
  hosts: string[];
}

/** SuperOffice's own samples have one like it. */
export const DEFAULT_REDIRECT_URL = "http://127.0.0.1:3300/openid/callback";

/** Where is listened for these settings; undefined where they are wrong. */
export function findListening(variables: Variables): Listening | undefined {
  const { SUPEROFFICE_REDIRECT_URL: url = DEFAULT_REDIRECT_URL, LISTEN: listen } = variables;
  if (!isRedirectUrl(url) || (listen !== undefined && readListen(listen) === undefined)) {
    return undefined;
  }
  return listeningAt(url, listen);
}

/** Where is listened for settings that are right. */
export function listeningAt(redirectUrl: string, listen: string | undefined): Listening {
  const { protocol, hostname, host, port } = new URL(redirectUrl);
  const own = listen === undefined ? undefined : readListen(listen);
  const usualPort = protocol === "https:" ? 443 : 80;
  const { name, at } = own ?? { name: hostname, at: Number(port) || usualPort };
  // What passes requests on may ask by the name that it knows.
  const hosts = own === undefined || isEveryAddress(name) ? [host] : [host, `${name}:${at}`];
  return { redirectUrl, addresses: addressesOf(name), port: at, hosts };
}

/** `localhost` is either of two addresses, by the browser's choice. */
function addressesOf(name: string): string[] {
  return name === "localhost" ? ["127.0.0.1", "::1"] : [name.replace(/^\[|\]$/g, "")];
}

function isEveryAddress(name: string): boolean {
  return name === "0.0.0.0" || name === "[::]";
}

/** Gives what `host:port` names; undefined where it has another form. */
export function readListen(text: string): { name: string; at: number } | undefined {
  const [, name, port] = text.match(/^(\[[\da-f:.]+\]|[\w.-]+):(\d{1,5})$/i) ?? [];
  const at = Number(port);
  if (name === undefined || !(at >= 1 && at <= 65535)) return undefined;
  return URL.canParse(`http://${name}:${at}`) ? { name: name.toLowerCase(), at } : undefined;
}

/** Whether it can be one: https, or http on this machine itself. */
export function isRedirectUrl(text: string): boolean {
  if (!URL.canParse(text) || !/^[\x21-\x7e]{1,1000}$/.test(text) || /[?#]/.test(text)) return false;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "" || url.port === "0") return false;
  // A browser would take what follows two slashes for a host.
  if (url.pathname.startsWith("//")) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url));
}
