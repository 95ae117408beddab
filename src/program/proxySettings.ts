import { z } from "zod";
import type { Proxies, Proxy } from "../console/requests/proxies.ts";

const proxy = z.string().transform((address, context): Proxy => {
  const read = readProxy(address);
  if (read !== undefined) return read;
  const found = /^socks/i.test(address) ? "a SOCKS proxy cannot be used; " : "";
  context.addIssue({
    code: "custom",
    message:
      `${found}expected a proxy's address of the form http://host:port or https://host:port, with ` +
      "user:password@ before the host where it wants them, and the signs @ : / # ? % of a password written " +
      "%40 %3A %2F %23 %3F %25",
  });
  return z.NEVER;
}).optional();

/** The variables that say which proxy is used, as other programs read them. */
export const proxyShape = {
  https_proxy: proxy,
  HTTPS_PROXY: proxy,
  http_proxy: proxy,
  HTTP_PROXY: proxy,
  no_proxy: z.string().optional(),
  NO_PROXY: z.string().optional(),
};

/** Puts them together; a name in lower case comes first. */
export function proxiesOf(data: z.infer<z.ZodObject<typeof proxyShape>>): Proxies | undefined {
  const https = data.https_proxy ?? data.HTTPS_PROXY;
  const http = data.http_proxy ?? data.HTTP_PROXY;
  if (https === undefined && http === undefined) return undefined;
  const names = data.no_proxy ?? data.NO_PROXY ?? "";
  return { https, http, direct: names.toLowerCase().split(/[\s,]+/).filter((name) => name !== "") };
}

function readProxy(address: string): Proxy | undefined {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return undefined;
  const { protocol, host, hostname, port, origin, username, password, href } = new URL(address);
  if (!href.endsWith(`${host}/`)) return undefined;
  const usualPort = protocol === "https:" ? "443" : "80";
  try {
    const credentials = username === "" && password === "" ? undefined : {
      username: decodeURIComponent(username),
      password: decodeURIComponent(password),
    };
    return { origin, host: `${hostname}:${port || usualPort}`, credentials };
  } catch {
    return undefined;
  }
}
