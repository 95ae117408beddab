import { access } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Logger } from "@logtape/logtape";
import type { Principal } from "./callTenant.ts";
import { ConsoleError, SettingsError, WorkError } from "./errors.ts";
import type { Customer } from "./loadCustomers.ts";
import type { LoggedOn } from "./logOn.ts";
import { createTenantFetch } from "./tenantFetch.ts";
import type { Tools } from "./step.ts";

/** What a work script gets, once for each customer and poll. */
export interface WorkContext {
  /** The tenant, for example `Cust12345`. */
  contextIdentifier: string;
  /** The tenant's address, for example `https://online3.superoffice.com/Cust12345/api`. */
  api: string;
  /** Who the system user is. */
  principal: Principal;
  /** The system user ticket, for clients of your own; `fetch` sends it by itself. A secret. */
  ticket: string;
  /** When the work for this customer last began and did not fail; null before the first time. */
  lastSync: Date | null;
  /** Writes lines that carry the property `customer`. */
  log: Logger;
  /** Aborted when the console stops and does not wait any longer, or when the work has gone on for 10 minutes. */
  signal: AbortSignal;
  /**
   * `fetch` for this tenant: takes a path below `api` ("v1/Contact/1") or an address that begins with `api`, adds the
   * credentials, and repeats, renews the ticket and follows the tenant as the console does. Gives a `Response` whatever
   * its status, read to at most 64 MiB.
   */
  fetch: typeof fetch;
}

/** A work script's default export. What it throws is this customer's failure; a summary is logged. */
export type Work = (context: WorkContext) => Promise<{ summary?: string } | void>;

/** A script that takes longer than this has lost its way, and would keep its slot for ever. */
const WORK_MS = 10 * 60_000;

/** A work script, and its file's name for the messages. */
export interface LoadedWork {
  run: Work;
  fileName: string;
}

/** Loads a work script. Throws {@link SettingsError} when there is none, or it exports no function by default. */
export async function loadWork(path: string): Promise<LoadedWork> {
  const file = resolve(path);
  await access(file).catch(() => {
    throw new SettingsError([`WORK or --work: there is no file ${file}`]);
  });
  const module = await import(pathToFileURL(file).href).catch((cause) => {
    throw new SettingsError([
      `WORK or --work: ${path} cannot be loaded: ${cause.message.replaceAll("\n", " ")}`,
    ]);
  });
  if (typeof module.default !== "function") {
    throw new SettingsError([
      `WORK or --work: ${path} has no default export that is a function; it should read ` +
      "`export default async function ({ fetch, log }: WorkContext) { … }`",
    ]);
  }
  return { run: module.default, fileName: basename(file) };
}

/**
 * Runs a work script for one customer, and gives its summary.
 * Throws what `fetch` threw where the script let it pass, and {@link WorkError} for anything else.
 */
export async function runWork(
  { run, fileName }: LoadedWork,
  customer: Customer,
  { principal, api, ticket }: LoggedOn,
  tools: Tools,
  log: Logger,
): Promise<string | undefined> {
  const { contextIdentifier, lastSync } = customer;
  const ending = new AbortController();
  const end = () => ending.abort(tools.http.signal.reason);
  tools.http.signal.addEventListener("abort", end);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new WorkError(`The work script did not end within ${WORK_MS / 60_000} minutes`);
      reject(error);
      ending.abort(error);
    }, WORK_MS);
  });
  try {
    const working = run({
      contextIdentifier,
      api,
      principal,
      ticket,
      lastSync,
      log,
      signal: ending.signal,
      fetch: createTenantFetch(customer, api, tools, log),
    });
    return (await Promise.race([working, tooLong]))?.summary;
  } catch (cause) {
    if (cause instanceof ConsoleError) throw cause;
    const { message, stack = "" } = cause instanceof Error ? cause : new Error(String(cause));
    const line = stack.match(new RegExp(`${fileName.replaceAll(".", "\\.")}:\\d+`))?.[0];
    throw new WorkError(`The work script failed${line ? ` at ${line}` : ""}: ${message}`, {
      cause,
    });
  } finally {
    clearTimeout(timer);
    tools.http.signal.removeEventListener("abort", end);
  }
}
