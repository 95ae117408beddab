import type { Logger } from "@logtape/logtape";
import type { Principal } from "../superoffice/callTenant.ts";
import { ExplainedError } from "../superoffice/errors.ts";
import { cutBetweenWords } from "../superoffice/http.ts";
import type { Call } from "../superoffice/logOn.ts";
import { WorkError } from "./errors.ts";
import { createLastSync } from "./lastSync.ts";
import { createTenantFetch } from "./tenantFetch.ts";
import type { RunWork } from "./visit.ts";

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
  /**
   * When the script last began for this customer and ended well, by the database's clock; null before the first time. What
   * changed since is new, also what changed during that run.
   */
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

/** A script may quote a whole answer. */
const MOST_LETTERS = 2000;

/** A work script, and its file's name for the messages. */
export interface LoadedWork {
  run: Work;
  fileName: string;
}

/**
 * Runs a work script for one customer after the other. Throws what its `fetch` threw where the script let that pass, and
 * {@link WorkError} for anything else.
 *
 * @param giveUp ends the work
 */
export function createWork(
  { run, fileName }: LoadedWork,
  call: Call,
  giveUp: AbortSignal,
): RunWork {
  const lastSyncOf = createLastSync();
  return async (customer, { principal, api, ticket }, log) => {
    const { contextIdentifier } = customer;
    const ending = new AbortController();
    const end = () => ending.abort(giveUp.reason);
    giveUp.addEventListener("abort", end);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const message = `The work script did not end within ${WORK_MS / 60_000} minutes`;
        const error = new WorkError(message);
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
        get lastSync() {
          return lastSyncOf(customer, log);
        },
        log,
        signal: ending.signal,
        fetch: createTenantFetch(customer, api, call),
      });
      const summary = (await Promise.race([working, tooLong]))?.summary;
      return summary === undefined ? undefined : cutBetweenWords(String(summary), MOST_LETTERS);
    } catch (cause) {
      throw cause instanceof ExplainedError ? cause : toWorkError(cause, fileName);
    } finally {
      clearTimeout(timer);
      giveUp.removeEventListener("abort", end);
    }
  };
}

function toWorkError(cause: unknown, fileName: string): WorkError {
  const { message, stack = "" } = cause instanceof Error ? cause : new Error(String(cause));
  const line = stack.match(new RegExp(`${fileName.replaceAll(".", "\\.")}:\\d+`))?.[0];
  const where = line ? ` at ${line}` : "";
  return new WorkError(
    `The work script failed${where}: ${cutBetweenWords(message, MOST_LETTERS)}`,
    {
      cause,
    },
  );
}
