import { dirname } from "node:path";
import { isLoopback } from "../superoffice/trustedHost.ts";
import { findListening } from "./listening.ts";
import { LIBRARY_VARIABLES, OWN_VARIABLES, PROXY_VARIABLES, type Variables } from "./variables.ts";

/** What a command on Deno may do. */
export interface Permissions {
  net: string[];
  env: string[];
  read: string[];
  write: string[];
  sys: string[];
}

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** What a command needs on Deno for these settings, and no more. Wrong settings need nothing: the command names them itself. */
export function permissionsFor(variables: Variables, isDemo: boolean): Permissions {
  const { LOG_FILE: logFile, SUPEROFFICE_PRIVATE_KEY_FILE: keyFile } = variables;
  const logFolder = logFile === undefined ? [] : [inFlag(dirname(logFile))];
  return {
    net: [
      ...(isDemo ? LOOPBACK : [...loginHosts(variables), ...databaseHosts(variables)]),
      ...telemetryHosts(variables),
      ...proxyHosts(variables),
      ...listenAddresses(variables),
    ],
    env: [...OWN_VARIABLES, ...LIBRARY_VARIABLES],
    read: [".env", ...(keyFile === undefined ? [] : [inFlag(keyFile)]), ...logFolder],
    write: logFolder,
    // Of whom the database's client says it is.
    sys: ["uid", "gid", "username", "homedir", "hostname"],
  };
}

/**
 * Deno's flags for permissions, with what else is granted: `--allow-net=api.example.com` adds to what there is, `--allow-net` is
 * all of a kind.
 */
export function flagsFor(permissions: Permissions, grants: string[]): string[] {
  const kinds = new Map<string, string[]>(Object.entries(permissions));
  const others: string[] = [];
  for (const grant of grants) {
    const [, kind = "", names] = grant.match(/^--allow-([a-z]+)(?:=(.*))?$/) ?? [];
    if (!kinds.has(kind)) others.push(grant);
    else if (names !== undefined) kinds.get(kind)?.push(...names.split(","));
    else {
      kinds.delete(kind);
      others.push(grant);
    }
  }
  const flags = [...kinds].filter(([, names]) => names.length > 0)
    .map(([kind, names]) => `--allow-${kind}=${names.join(",")}`);
  // A module of another host would be asked for there, with whatever its address says.
  const imports = grants.some((grant) => grant.startsWith("--allow-import")) ? [] : ["--no-remote"];
  return [...flags, ...imports, ...others];
}

/** A comma in a path is no next one. */
export function inFlag(path: string): string {
  return path.replaceAll(",", ",,");
}

/** Where the answer to an approval is waited for. Wrong settings need nothing. */
export function listenersOf(variables: Variables): string[] {
  const { addresses = [], port } = findListening(variables) ?? {};
  return addresses.map((address) => `${address.includes(":") ? `[${address}]` : address}:${port}`);
}

/** The login host, and where tenants may be: as `trustedUrl` has it. */
function loginHosts({ SUPEROFFICE_LOGIN_URL: address }: Variables): string[] {
  const url = address === undefined ? undefined : parse(address);
  if (url === undefined) return address === undefined ? superOfficeHosts("443") : [];
  if (isLoopback(url)) return LOOPBACK;
  if (!/(^|\.)superoffice\.com$/.test(url.hostname)) return [hostOf(url)];
  return [...new Set(["443", portOf(url)])].flatMap(superOfficeHosts);
}

function superOfficeHosts(port: string): string[] {
  return [`superoffice.com:${port}`, `*.superoffice.com:${port}`];
}

/** An address may name several, for a server with standbys. */
function databaseHosts({ DATABASE_URL: address = "" }: Variables): string[] {
  const hosts = address.match(/^postgres(?:ql)?:\/\/(?:[^@/?#]*@)?([^@/?#]+)/)?.[1];
  return hosts?.split(",").map((host) => /:\d+$/.test(host) ? host : `${host}:5432`) ?? [];
}

function telemetryHosts(variables: Variables): string[] {
  return ["", "TRACES_", "METRICS_"]
    .map((kind) => parse(variables[`OTEL_EXPORTER_OTLP_${kind}ENDPOINT`] ?? ""))
    .filter((url) => url !== undefined).map(hostOf);
}

function proxyHosts(variables: Variables): string[] {
  const hosts = Object.values(PROXY_VARIABLES)
    .map((names) => names.map((name) => variables[name]).find((address) => address !== undefined))
    .map((address) => parse(address ?? ""))
    .filter((url) => url !== undefined && /^https?:$/.test(url.protocol)).map((url) =>
      hostOf(url!)
    );
  return [...new Set(hosts)];
}

/** Where it may listen, and nowhere else. */
function listenAddresses(variables: Variables): string[] {
  const addresses = ["NOTIFICATIONS_LISTEN", "HEALTH_LISTEN"].flatMap((name) => {
    const address = variables[name]?.toLowerCase() ?? "";
    const port = address.match(/^localhost(:\d{1,5})$/)?.[1];
    if (port !== undefined) return [address, `127.0.0.1${port}`, `[::1]${port}`];
    return /^([\d.]+|\[[\da-f:.]+\]):\d{1,5}$/.test(address) ? [address] : [];
  });
  return [...new Set(addresses)];
}

function parse(address: string): URL | undefined {
  return URL.canParse(address) ? new URL(address) : undefined;
}

function hostOf(url: URL): string {
  return `${url.hostname}:${portOf(url)}`;
}

function portOf({ port, protocol }: URL): string {
  return port || (protocol === "https:" ? "443" : "80");
}
