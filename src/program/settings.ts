import { isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import type { Address } from "../console/listeners/server.ts";
import type { Proxies } from "../console/requests/proxies.ts";
import { PrivateKeyError } from "../superoffice/errors.ts";
import type { Application } from "../superoffice/tenant.ts";
import { isLoopback } from "../superoffice/trustedHost.ts";
import { SettingsError } from "./errors.ts";
import { remedyOf } from "./explain.ts";
import { faultOfKeyNames, readKey } from "./readKey.ts";
import type { Variables } from "./variables.ts";
import type { LogSettings } from "./log.ts";
import { proxiesOf, proxyShape } from "./proxySettings.ts";

/** How the console runs, whatever it runs against. */
export interface RunSettings {
  /** From one poll's start to the next. */
  pollMs: number;
  /** From one call of a customer to the next while nothing about it changes; as long as that at least. */
  tenantMs: number;
  /** How many tenants are worked on at once; `auto` finds that by itself. */
  concurrency: number | "auto";
  /** How long one HTTP request may take. */
  requestTimeoutMs: number;
  /** How long a stop waits for work in hand. */
  shutdownMs: number;
  /** Whether tickets are kept between polls, as they should be. */
  reuseTickets: boolean;
  /** Whether they are stored in the database, too, and outlive the process. */
  storesTickets: boolean;
  /** Whether the work is shared with other consoles. */
  share: boolean;
  /** The path of a work script. */
  work: string | undefined;
  /** How long it may take for one customer. */
  workTimeoutMs: number;
  /** How many calls a second go to one tenant at most. */
  callsPerSecond: number;
  /** Whether the log is coloured; undefined leaves it to whether the output is a terminal. */
  colours: boolean | undefined;
  /** Whether somebody collects traces and metrics. */
  sendsTelemetry: boolean;
  /** Whether Deno's built-in support sends them. */
  usesDenoTelemetry: boolean;
  /** Undefined where every host is asked directly. */
  proxies: Proxies | undefined;
  /** Where SuperOffice's notifications are taken; undefined where none are. */
  notificationsAt: Address | undefined;
  /** Where it is told how the console is; undefined where nobody asks. */
  healthAt: Address | undefined;
  /** The application's client id, which is no secret; undefined where it is not named. */
  clientId: string | undefined;
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

const autoOrWholeNumber = (most: number) => {
  const error = `expected auto or a whole number, 1 to ${most}`;
  return z.string().regex(/^(auto|\d+)$/, error)
    .transform((text) => text === "auto" ? text : Number(text))
    .refine((number) => number === "auto" || (number >= 1 && number <= most), error)
    .default("auto");
};

/** In digits and with a port, or localhost; an address of version 6 stands in brackets. */
const ADDRESS = /^(?:\[([\da-f:.]+)\]|([\d.]+|localhost)):(\d{1,5})$/i;

/** Reads where to listen; undefined where a text does not say it. */
function addressOf(text: string): Address | undefined {
  const [, inBrackets, name, port] = text.toLowerCase().match(ADDRESS) ?? [];
  const isHost = inBrackets !== undefined
    ? isIPv6(inBrackets)
    : name === "localhost" || isIPv4(name ?? "");
  const isPort = Number(port) >= 1 && Number(port) <= 65_535;
  return isHost && isPort ? { host: (inBrackets ?? name)!, port: Number(port) } : undefined;
}

const address = (port: number) =>
  z.string().transform(addressOf).refine(
    (address) => address !== undefined,
    `expected an address of this machine and a port, as in 127.0.0.1:${port} (0.0.0.0:${port} is all of its addresses)`,
  ).optional();

const oneOf = <const T extends readonly string[]>(names: T) =>
  z.enum(names, { error: `expected one of ${names.join(", ")}` });

const runSchema = z.object({
  POLL_SECONDS: seconds(15, 86_400),
  // Without one at every poll.
  TENANT_SECONDS: seconds(0, 86_400),
  CONCURRENCY: autoOrWholeNumber(1000),
  REQUEST_TIMEOUT_SECONDS: seconds(30, 3600),
  SHUTDOWN_SECONDS: seconds(10, 3600),
  WORK: z.string().optional(),
  WORK_TIMEOUT_SECONDS: seconds(600, 86_400),
  WORK_CALLS_PER_SECOND: wholeNumber(10, 1000),
  TICKET_REUSE: oneOf(["on", "off"]).default("on"),
  TICKET_STORE: oneOf(["memory", "database"]).default("memory"),
  SHARE: oneOf(["on", "off"]).default("off"),
  NOTIFICATIONS_LISTEN: address(3301),
  HEALTH_LISTEN: address(3302),
  SUPEROFFICE_CLIENT_ID: z.string().optional(),
  LOG_LEVEL: oneOf(["debug", "info", "warning", "error"]).default("info"),
  LOG_FORMAT: oneOf(["text", "json"]).default("text"),
  LOG_FILE: z.string().optional(),
  LOG_KEEP_DAYS: wholeNumber(92, 36_500),
  ...proxyShape,
}).refine(
  ({ TICKET_REUSE, TICKET_STORE }) => TICKET_REUSE !== "off" || TICKET_STORE !== "database",
  {
    path: ["TICKET_STORE"],
    error:
      "database is of no use with TICKET_REUSE=off, which uses no ticket twice; expected one of both",
    // Beside other faults, too.
    when: () => true,
  },
).refine(({ TICKET_REUSE, SHARE }) => TICKET_REUSE !== "off" || SHARE !== "on", {
  path: ["SHARE"],
  error:
    "on needs the tickets of other consoles, and TICKET_REUSE=off uses none twice; expected one of both",
  when: () => true,
}).refine(({ POLL_SECONDS, SHARE }) => SHARE !== "on" || !(POLL_SECONDS % 1000 > 0), {
  path: ["POLL_SECONDS"],
  error: "expected whole seconds where the work is shared (SHARE=on)",
  when: () => true,
});

/** What says what to run against, but for the private key. */
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
 * Reads how to run. Throws {@link SettingsError} with every fault.
 *
 * @param warnings is given what has no effect
 */
export function readRunSettings(variables: Variables, warnings: string[] = []): RunSettings {
  const { success, data, error } = runSchema.safeParse(variables);
  if (!success) throw new SettingsError(faultsOf(error));
  if (data.TENANT_SECONDS > 0 && data.TENANT_SECONDS < data.POLL_SECONDS) {
    warnings.push(
      `TENANT_SECONDS=${
        data.TENANT_SECONDS / 1000
      } has no effect, since it is less than POLL_SECONDS (${
        data.POLL_SECONDS / 1000
      }): customers are called at each poll. To call them more often set POLL_SECONDS.`,
    );
  }
  return {
    pollMs: data.POLL_SECONDS,
    tenantMs: Math.max(data.POLL_SECONDS, Math.round(data.TENANT_SECONDS)),
    concurrency: data.CONCURRENCY,
    requestTimeoutMs: data.REQUEST_TIMEOUT_SECONDS,
    shutdownMs: data.SHUTDOWN_SECONDS,
    work: data.WORK,
    workTimeoutMs: data.WORK_TIMEOUT_SECONDS,
    callsPerSecond: data.WORK_CALLS_PER_SECOND,
    colours: variables["NO_COLOR"] !== undefined || variables["FORCE_COLOR"] === "0"
      ? false
      : variables["FORCE_COLOR"] !== undefined
      ? true
      : undefined,
    sendsTelemetry: variables["OTEL_EXPORTER_OTLP_ENDPOINT"] !== undefined,
    usesDenoTelemetry: "Deno" in globalThis && variables["OTEL_DENO"] === "true",
    proxies: proxiesOf(data),
    reuseTickets: data.TICKET_REUSE === "on",
    storesTickets: data.TICKET_STORE === "database" || data.SHARE === "on",
    share: data.SHARE === "on",
    notificationsAt: data.NOTIFICATIONS_LISTEN,
    healthAt: data.HEALTH_LISTEN,
    clientId: data.SUPEROFFICE_CLIENT_ID,
    log: {
      level: data.LOG_LEVEL,
      format: data.LOG_FORMAT,
      file: data.LOG_FILE,
      keepDays: data.LOG_KEEP_DAYS,
    },
  };
}

/** The settings as far as they are right, and what is wrong with the others. */
export interface InspectedSettings {
  /** With the default of each that is wrong. */
  run: RunSettings;
  databaseUrl: string | undefined;
  loginUrl: string | undefined;
  clientSecret: string | undefined;
  faults: string[];
}

/**
 * Reads every setting but the private key, right or wrong.
 *
 * @param warnings is given what has no effect
 */
export function inspectSettings(
  variables: Variables,
  warnings: string[] = [],
): InspectedSettings {
  const run = runSchema.safeParse(variables);
  const target = targetSchema.safeParse(variables);
  const one = (name: keyof typeof targetSchema.shape) =>
    targetSchema.shape[name].safeParse(variables[name]).data;
  const environment = one("SUPEROFFICE_ENVIRONMENT");
  const isLoginUrlRight =
    target.error?.issues.every(({ path }) => path[0] !== "SUPEROFFICE_LOGIN_URL") ?? true;
  const wrong = run.error?.issues.map(({ path }) => path[0]) ?? [];
  const others = Object.entries(variables).filter(([name]) => !wrong.includes(name));
  return {
    run: readRunSettings(Object.fromEntries(others), warnings),
    databaseUrl: one("DATABASE_URL"),
    loginUrl: one("SUPEROFFICE_LOGIN_URL") ??
      (isLoginUrlRight && environment ? `https://${environment}.superoffice.com` : undefined),
    clientSecret: one("SUPEROFFICE_CLIENT_SECRET"),
    faults: [run, target].flatMap(({ error }) => error === undefined ? [] : faultsOf(error)),
  };
}

/**
 * Reads how to run and what to run against, and imports the private key.
 * Throws {@link SettingsError} with every fault, and never a secret's value.
 *
 * @param warnings what explains a fault, perhaps: it is told beside them; it is given what has no effect
 * @param keyText what the key file holds, where somebody else read it
 */
export async function readSettings(
  variables: Variables,
  warnings: string[] = [],
  keyText?: string,
): Promise<{ run: RunSettings; target: Target }> {
  const { run, databaseUrl, loginUrl, clientSecret, faults } = inspectSettings(variables, warnings);
  const keyFault = faultOfKeyNames(variables);
  const key = keyFault === undefined
    ? await readKey(variables, keyText).catch((error) => {
      if (!(error instanceof PrivateKeyError)) throw error;
      faults.push(`${error.message}. ${remedyOf(error)}`);
    })
    : void faults.push(keyFault);
  if (faults.length > 0 || !databaseUrl || !loginUrl || !clientSecret || !key) {
    throw new SettingsError([...faults, ...warnings]);
  }
  const { privateKey } = key;
  return { run, target: { databaseUrl, loginUrl, clientSecret, privateKey } };
}

/** A sentence for each fault, with the variable's name. */
export function faultsOf(error: z.ZodError): string[] {
  return error.issues.map(({ path, message }) => `${path[0]?.toString()}: ${message}`);
}

/** Signs that a password's address needs written as %40 and the like would make its rest the host. */
function isPostgresUrl(text: string): boolean {
  return !/\p{Cc}/u.test(text) &&
    /^postgres(ql)?:\/\/([^@/?#]*@)?[^@/?#]+([/?][^@#]*)?$/.test(text) &&
    !/%(?![\da-f]{2})/i.test(text) && (URL.canParse(text) || text.includes(","));
}

function isLoginUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.href === `${url.origin}/` &&
    (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url)));
}
