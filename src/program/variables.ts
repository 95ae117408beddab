import process from "node:process";
import { parseEnv } from "node:util";
import { SettingsError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import { readText } from "./readText.ts";
import { faultOfRights } from "./secretFile.ts";

/** Variables by name, as the environment holds them. */
export type Variables = Record<string, string | undefined>;

/** The variables that name a proxy, by the addresses that it is for; the first of them counts. */
export const PROXY_VARIABLES = {
  https: ["https_proxy", "HTTPS_PROXY"],
  http: ["http_proxy", "HTTP_PROXY"],
} as const;

const PROXY_NAMES = Object.values(PROXY_VARIABLES).flat();

/** The variables that this program knows. */
export const OWN_VARIABLES = [
  "DATABASE_URL",
  "SUPEROFFICE_ENVIRONMENT",
  "SUPEROFFICE_LOGIN_URL",
  "SUPEROFFICE_CLIENT_ID",
  "SUPEROFFICE_CLIENT_SECRET",
  "SUPEROFFICE_PRIVATE_KEY",
  "SUPEROFFICE_PRIVATE_KEY_FILE",
  "SUPEROFFICE_CLIENT_ID",
  "SUPEROFFICE_REDIRECT_URL",
  "LISTEN",
  "DEMO_PORT",
  "POLL_SECONDS",
  "TENANT_SECONDS",
  "CONCURRENCY",
  "REQUEST_TIMEOUT_SECONDS",
  "SHUTDOWN_SECONDS",
  "WORK",
  "WORK_TIMEOUT_SECONDS",
  "WORK_CALLS_PER_SECOND",
  "TICKET_REUSE",
  "TICKET_STORE",
  "SHARE",
  "NOTIFICATIONS_LISTEN",
  "HEALTH_LISTEN",
  "LOG_LEVEL",
  "LOG_FORMAT",
  "LOG_FILE",
  "LOG_KEEP_DAYS",
  "NODE_ENV",
  "NO_COLOR",
  "FORCE_COLOR",
  ...PROXY_NAMES,
  "no_proxy",
  "NO_PROXY",
];

/** Those that the libraries read. */
export const LIBRARY_VARIABLES = ["OTEL_*", "PG*", "JEST_WORKER_ID", "UNDICI_NO_WASM_SIMD"];

/** The two ways to name the private key. */
const KEY_VARIABLES = ["SUPEROFFICE_PRIVATE_KEY", "SUPEROFFICE_PRIVATE_KEY_FILE"];

/** Those that a work script has no business with. */
const SECRET_VARIABLES = ["DATABASE_URL", "SUPEROFFICE_CLIENT_SECRET", "SUPEROFFICE_PRIVATE_KEY"];

const LOOPBACK = "localhost,127.0.0.1,::1,[::1]";

/**
 * The variables of the process, with those of a file `.env` in the working directory where it exists. The process's own come
 * first; an empty one counts as not set. Those that are secrets are taken out of the process, so that nothing it runs finds them
 * there; of a proxy's address the credentials are, and what reads the rest there leaves this machine itself alone, too. With
 * them comes a warning, a sentence, for each slip in a name, and where others may read `.env`.
 */
export async function takeVariables(): Promise<{ variables: Variables; warnings: string[] }> {
  const text = await readEnvFile();
  const inProcess = environment();
  const variables = together(text, inProcess);
  for (const name of SECRET_VARIABLES) delete process.env[name];
  hideProxyCredentials(variables);
  // Others may mean a short name as it is.
  const names = Object.keys(inProcess).filter((name) => name.length > "LOG_FILE".length);
  const warnings = misspelt([...new Set([...Object.keys(parseEnv(text)), ...names])], variables);
  const fault = namesNoTarget(variables) ? undefined : await faultOfRights(".env");
  return { variables, warnings: fault === undefined ? warnings : [...warnings, fault] };
}

function hideProxyCredentials(variables: Variables): void {
  const proxyNames = PROXY_NAMES.filter((name) => process.env[name]);
  for (const name of proxyNames) {
    process.env[name] = process.env[name]!.replace(/^([^/]*\/\/)?.*@/s, "$1");
  }
  const direct = variables["no_proxy"] ?? variables["NO_PROXY"] ?? "";
  if (proxyNames.length > 0 && direct !== "*") {
    const names = direct === "" ? LOOPBACK : `${direct},${LOOPBACK}`;
    process.env["no_proxy"] = process.env["NO_PROXY"] = names;
  }
}

/** A sentence for each name that is written almost like one that this program knows, and that is not set. */
export function misspelt(names: string[], variables: Variables): string[] {
  const missing = OWN_VARIABLES.filter((name) => variables[name] === undefined);
  return names.filter((name) => !OWN_VARIABLES.includes(name)).flatMap((name) => {
    const meant = nearest(name, missing);
    return meant === undefined
      ? []
      : [`${name} is not known here and does nothing: is ${meant} meant?`];
  });
}

/** The same variables, left where they are. */
export async function readVariables(): Promise<Variables> {
  return together(await readEnvFile(), environment());
}

async function readEnvFile(): Promise<string> {
  return await readText(".env").catch((error) => {
    if (error.code === "ENOENT") return "";
    const { message, remedy } = error;
    throw new SettingsError([
      `.env cannot be read: ${message}${remedy === undefined ? "" : `. ${remedy}`}`,
    ]);
  });
}

function together(text: string, inProcess: Variables): Variables {
  const all = mergeVariables(text, inProcess);
  // OpenTelemetry's exporters read the environment themselves.
  for (const [name, value] of Object.entries(all)) {
    if (name.startsWith("OTEL_")) process.env[name] ??= value;
  }
  return all;
}

/**
 * What the text of a file `.env` and a process's own variables come to. The own come first, also where they name the private key
 * in the other way; an empty one counts as not set.
 */
export function mergeVariables(file: string, own: Variables): Variables {
  const inFile: Variables = parseEnv(file);
  if (KEY_VARIABLES.some((name) => own[name]?.trim())) {
    for (const name of KEY_VARIABLES) delete inFile[name];
  }
  return withoutEmpty({ ...inFile, ...withoutEmpty(own) });
}

/** What the process may see of its environment: on Deno it may be what this program knows, and nothing else. */
export function environment(): Variables {
  try {
    return withoutEmpty({ ...process.env });
  } catch {
    const names = [...OWN_VARIABLES, "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_DENO"];
    return withoutEmpty(Object.fromEntries(names.map((name) => [name, process.env[name]])));
  }
}

/** Whether nothing says what to run against: no DATABASE_URL and no SUPEROFFICE_ variable. */
export function namesNoTarget(variables: Variables): boolean {
  return !Object.keys(variables).some((name) =>
    name === "DATABASE_URL" || name.startsWith("SUPEROFFICE_")
  );
}

/** The secrets among the variables, right or wrong, as they are and as they stand in an address. */
export function secretsOf(variables: Variables): string[] {
  const { SUPEROFFICE_CLIENT_SECRET: clientSecret = "", DATABASE_URL: databaseUrl = "" } =
    variables;
  const passwords = [
    databaseUrl.match(/^[^:]+:\/\/[^:@/]*:(.+)@/s)?.[1],
    // Without a password, what stands before the @ is one.
    ...PROXY_NAMES.map((name) =>
      variables[name]?.match(/^(?:[^:/]+:\/\/)?(?:[^:@/]*:(?!@))?(.+)@/s)?.[1]?.replace(/:$/, "")
    ),
  ];
  return [clientSecret, ...passwords.filter((text) => text !== undefined).flatMap(decodedToo)];
}

function decodedToo(text: string): string[] {
  try {
    return [text, decodeURIComponent(text)];
  } catch {
    return [text];
  }
}

function withoutEmpty(variables: Variables): Variables {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, value?.trim()]).filter(([, value]) =>
      value
    ),
  );
}
