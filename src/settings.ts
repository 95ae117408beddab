import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import process from "node:process";
import { z } from "zod";
import { PrivateKeyError, SettingsError } from "./errors.ts";
import type { Application } from "./exchange.ts";
import type { LogSettings } from "./log.ts";
import { importPrivateKey } from "./privateKey.ts";
import { isLoopback } from "./trustedHost.ts";

/** Variables by name, as the environment holds them. */
export type Variables = Record<string, string | undefined>;

/** How the console runs, whatever it runs against. */
export interface RunSettings {
  /** From one poll's start to the next. */
  pollMs: number;
  /** How many tenants are worked on at once. */
  concurrency: number;
  /** How long one HTTP request may take. */
  requestTimeoutMs: number;
  /** How long a stop waits for work in hand. */
  shutdownMs: number;
  /** Whether tickets are kept between polls, as they should be. */
  reuseTickets: boolean;
  /** The path of a work script. */
  work: string | undefined;
  /** Whether the log is coloured; undefined leaves it to whether the output is a terminal. */
  colours: boolean | undefined;
  /** Whether somebody collects traces and metrics. */
  sendsTelemetry: boolean;
  /** Whether Deno's built-in support sends them. */
  usesDenoTelemetry: boolean;
  log: LogSettings;
}

/** What the console runs against. */
export interface Target extends Application {
  databaseUrl: string;
  privateKey: CryptoKey;
}

const seconds = (byDefault: number, most: number) =>
  z.string().regex(/^\d+(\.\d+)?$/, `expected 0.1 to ${most} seconds`).transform(Number)
    .refine((seconds) => seconds >= 0.1 && seconds <= most, `expected 0.1 to ${most} seconds`)
    .default(byDefault).transform((seconds) => seconds * 1000);

const wholeNumber = (byDefault: number, most: number) =>
  z.string().regex(/^\d+$/, `expected a whole number, 1 to ${most}`).transform(Number)
    .refine((number) => number >= 1 && number <= most, `expected a whole number, 1 to ${most}`)
    .default(byDefault);

const oneOf = <const T extends readonly string[]>(names: T) =>
  z.enum(names, { error: `expected one of ${names.join(", ")}` });

const runSchema = z.object({
  POLL_SECONDS: seconds(15, 86_400),
  CONCURRENCY: wholeNumber(32, 1000),
  REQUEST_TIMEOUT_SECONDS: seconds(30, 3600),
  SHUTDOWN_SECONDS: seconds(10, 3600),
  WORK: z.string().optional(),
  TICKET_REUSE: oneOf(["on", "off"]).default("on"),
  LOG_LEVEL: oneOf(["debug", "info", "warning", "error"]).default("info"),
  LOG_FORMAT: oneOf(["text", "json"]).default("text"),
  LOG_FILE: z.string().optional(),
  LOG_KEEP_DAYS: wholeNumber(92, 36_500),
});

export const targetSchema = z.object({
  DATABASE_URL: z.string({
    error:
      "missing; expected the address of the Postgres, postgres://user:password@host:5432/database",
  }).refine(
    isPostgresUrl,
    "expected an address of the form postgres://user:password@host:5432/database, with the signs @ / # ? % of a " +
      "password written %40 %2F %23 %3F %25",
  ),
  SUPEROFFICE_ENVIRONMENT: z.preprocess(
    (name) => name === "stage" ? "qaonline" : name,
    oneOf(["sod", "qaonline", "online"]).default("sod"),
  ),
  SUPEROFFICE_LOGIN_URL: z.string()
    .refine(isLoginUrl, "expected an https address without a path (http for this machine alone)")
    .transform((address) => new URL(address).origin).optional(),
  SUPEROFFICE_CLIENT_SECRET: z.string({
    error: "missing; expected the application's client secret from the developer portal",
  }).regex(
    /^[\x21-\x7e]+$/,
    "expected letters, digits and signs without blanks, as the portal shows it",
  ),
});

/**
 * The variables of the process, with those of a file `.env` in the working directory where it exists.
 * The process's own come first; an empty one counts as not set.
 */
export async function readVariables(): Promise<Variables> {
  const file = await readFile(".env", "utf8").catch((error) => {
    if (error.code === "ENOENT") return "";
    throw new SettingsError([`.env cannot be read: ${error.message}`]);
  });
  const all = withoutEmpty({ ...parseEnv(file), ...withoutEmpty(process.env) });
  // OpenTelemetry's exporters read the environment themselves.
  for (const [name, value] of Object.entries(all)) {
    if (name.startsWith("OTEL_")) process.env[name] ??= value;
  }
  return all;
}

/** Whether nothing says what to run against: no DATABASE_URL and no SUPEROFFICE_ variable. */
export function namesNoTarget(variables: Variables): boolean {
  return !Object.keys(variables).some((name) =>
    name === "DATABASE_URL" || name.startsWith("SUPEROFFICE_")
  );
}

/** Reads how to run. Throws {@link SettingsError} with every fault. */
export function readRunSettings(variables: Variables): RunSettings {
  const { success, data, error } = runSchema.safeParse(variables);
  if (!success) throw new SettingsError(faultsOf(error));
  return {
    pollMs: data.POLL_SECONDS,
    concurrency: data.CONCURRENCY,
    requestTimeoutMs: data.REQUEST_TIMEOUT_SECONDS,
    shutdownMs: data.SHUTDOWN_SECONDS,
    work: data.WORK,
    colours: variables["NO_COLOR"] !== undefined
      ? false
      : variables["FORCE_COLOR"] !== undefined
      ? true
      : undefined,
    sendsTelemetry: variables["OTEL_EXPORTER_OTLP_ENDPOINT"] !== undefined,
    usesDenoTelemetry: "Deno" in globalThis && variables["OTEL_DENO"] === "true",
    reuseTickets: data.TICKET_REUSE === "on",
    log: {
      level: data.LOG_LEVEL,
      format: data.LOG_FORMAT,
      file: data.LOG_FILE,
      keepDays: data.LOG_KEEP_DAYS,
    },
  };
}

/**
 * Reads how to run and what to run against, and imports the private key.
 * Throws {@link SettingsError} with every fault, and never a secret's value.
 */
export async function readSettings(
  variables: Variables,
): Promise<{ run: RunSettings; target: Target }> {
  const faults: string[] = [];
  const collect = (error: unknown): undefined => {
    if (!(error instanceof SettingsError)) throw error;
    faults.push(...error.faults);
  };
  let run: RunSettings | undefined;
  try {
    run = readRunSettings(variables);
  } catch (error) {
    collect(error);
  }
  const target = targetSchema.safeParse(variables);
  if (!target.success) faults.push(...faultsOf(target.error));
  const privateKey = await readPrivateKey(variables).catch(collect);
  if (run === undefined || !target.success || privateKey === undefined) {
    throw new SettingsError(faults);
  }
  const { data } = target;
  return {
    run,
    target: {
      databaseUrl: data.DATABASE_URL,
      loginUrl: data.SUPEROFFICE_LOGIN_URL ??
        `https://${data.SUPEROFFICE_ENVIRONMENT}.superoffice.com`,
      clientSecret: data.SUPEROFFICE_CLIENT_SECRET,
      privateKey,
    },
  };
}

/** The secrets among the settings, as they are and as they stand in an address. */
export function secretsOf(
  { clientSecret, databaseUrl }: Pick<Target, "clientSecret" | "databaseUrl">,
): string[] {
  const password = databaseUrl.match(/^[^:]+:\/\/[^:@/]*:(.+)@/)?.[1];
  if (password === undefined) return [clientSecret];
  try {
    return [clientSecret, password, decodeURIComponent(password)];
  } catch {
    return [clientSecret, password];
  }
}

export async function readPrivateKey(variables: Variables): Promise<CryptoKey> {
  const { SUPEROFFICE_PRIVATE_KEY: text, SUPEROFFICE_PRIVATE_KEY_FILE: path } = variables;
  if (text !== undefined && path !== undefined) {
    throw new SettingsError([
      "SUPEROFFICE_PRIVATE_KEY and SUPEROFFICE_PRIVATE_KEY_FILE: both are set; expected one of them",
    ]);
  }
  if (text === undefined && path === undefined) {
    throw new SettingsError([
      "SUPEROFFICE_PRIVATE_KEY or SUPEROFFICE_PRIVATE_KEY_FILE: missing; expected the application's private " +
      "key (XML or PEM text), or the path of a file that holds it",
    ]);
  }
  const name = text === undefined ? "SUPEROFFICE_PRIVATE_KEY_FILE" : "SUPEROFFICE_PRIVATE_KEY";
  try {
    return await importPrivateKey(text ?? await readFile(path!, "utf8"));
  } catch (error) {
    if (error instanceof PrivateKeyError) {
      throw new SettingsError([`${name}: ${error.message}. ${error.remedy}`]);
    }
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : code ?? message;
    const looksLikeKey = path!.length > 255 || /^MI[IGE]|KEY-----|<RSA|\n/.test(path!);
    const shown = looksLikeKey ? "the value (it looks like a key, not like a path)" : path;
    throw new SettingsError([`${name}: ${shown} cannot be read: ${reason}`]);
  }
}

export function faultsOf(error: z.ZodError): string[] {
  return error.issues.map(({ path, message }) => `${path[0]?.toString()}: ${message}`);
}

function withoutEmpty(variables: Variables): Variables {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, value?.trim()]).filter(([, value]) =>
      value
    ),
  );
}

/** Signs that a password's address needs written as %40 and the like would make its rest the host. */
function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:\/\/([^@/?#]*@)?[^@/?#]+([/?][^@#]*)?$/.test(text) &&
    !/%(?![\da-f]{2})/i.test(text) && (URL.canParse(text) || text.includes(","));
}

function isLoginUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.href === `${url.origin}/` &&
    (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url)));
}
