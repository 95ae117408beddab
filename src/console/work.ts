import { setImmediate as turn } from "node:timers/promises";
import type { Logger } from "@logtape/logtape";
import type { Principal } from "../superoffice/callTenant.ts";
import type { Call } from "../superoffice/logOn.ts";
import { handBack, leaveWork, runAtWork } from "./atWork.ts";
import { WorkError } from "./errors.ts";
import { createLastSync } from "./lastSync.ts";
import { createTenantFetch } from "./tenantFetch.ts";
import type { RunWork } from "./visit.ts";
import { toStrayError, toWorkError } from "./workFailure.ts";
import { summaryOf } from "./workSummary.ts";

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
  /**
   * Aborted when the work has failed or is given up: something that the script did not wait for has failed, the work has gone on
   * for WORK_TIMEOUT_SECONDS, or the console stops and does not wait any longer. From then on `fetch` sends nothing.
   */
  signal: AbortSignal;
  /**
   * `fetch` for this tenant: takes a path below `api` ("v1/Contact/1") or an address that begins with `api`, adds the
   * credentials, and repeats, renews the ticket and follows the tenant as the console does. Gives a `Response` whatever
   * its status, read to at most 64 MiB. No more than WORK_CALLS_PER_SECOND leave in a second; those beyond wait in line.
   */
  fetch: typeof fetch;
}

/** A work script's default export. What it throws is this customer's failure; a summary is logged. */
export type Work = (context: WorkContext) => Promise<{ summary?: string } | void>;

/** A work script, and its file's name for the messages. */
export interface LoadedWork {
  run: Work;
  fileName: string;
}

const STILL_RUNNING =
  "The work script's last run here was given up and has not ended yet, so that no other is begun: it should end when `signal` " +
  "is aborted";

/**
 * Runs a work script for one customer after the other. It ends when the script and all its requests have; earlier where it
 * fails: throws what the script's `fetch` threw where the script let that pass, and {@link WorkError} for anything else, also
 * for what the script did not wait for, and while a run that was given up has not ended. What fails after the end is told to
 * `failLate`, once.
 *
 * @param timeoutMs a script that takes longer has lost its way, and would keep its slot for ever
 * @param giveUp ends the work
 */
export function createWork(
  { run, fileName }: LoadedWork,
  call: Call,
  timeoutMs: number,
  giveUp: AbortSignal,
): RunWork {
  const lastSyncOf = createLastSync();
  /** By the customer's row, whose script has not ended yet, be it given up long ago. */
  const running = new Set<string>();
  // What several customers share, such as an exchange or a connection, is nobody's work.
  const ownCall: Call = (tenant, request) => leaveWork(() => call(tenant, request));

  return async (customer, { principal, api, ticket }, log, failLate) => {
    const { id, contextIdentifier } = customer;
    if (running.has(id)) throw new WorkError(STILL_RUNNING);
    const ending = new AbortController();
    const { signal } = ending;
    const failed = new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    );
    failed.catch(() => {});
    const end = () => ending.abort(giveUp.reason);
    giveUp.addEventListener("abort", end);
    const timer = setTimeout(() => {
      ending.abort(new WorkError(`The work script did not end within ${timeoutMs / 1000} s`));
    }, timeoutMs);

    const mention = ({ message }: Error) =>
      log.debug("{customer}: {problem}", { problem: message });
    let tellStray = (error: Error): void => ending.abort(error);
    const fail = (cause: unknown) => tellStray(toStrayError(cause, fileName));

    const underWay = new Set<Promise<unknown>>();
    const tenantFetch = createTenantFetch(customer, api, ownCall);
    const ownFetch: typeof fetch = async (input, init) => {
      signal.throwIfAborted();
      const request = tenantFetch(input, init).finally(() => underWay.delete(request));
      underWay.add(request);
      try {
        return await request;
      } finally {
        await handBack(contextIdentifier);
      }
    };
    async function runScript(): Promise<unknown> {
      running.add(id);
      try {
        return await run({
          contextIdentifier,
          api,
          principal,
          ticket,
          get lastSync() {
            return lastSyncOf(customer, log);
          },
          log,
          signal,
          fetch: ownFetch,
        });
      } finally {
        running.delete(id);
      }
    }
    async function work(): Promise<string | undefined> {
      const returned = await runAtWork({ contextIdentifier, fail }, runScript);
      // What was not waited for fails here, and not after the customer's success was told.
      do {
        await Promise.allSettled(underWay);
        await turn();
      } while (underWay.size > 0);
      return summaryOf(returned, fileName);
    }

    try {
      const summary = await Promise.race([work(), failed]);
      tellStray = (error) => {
        tellStray = mention;
        failLate(error);
      };
      return summary;
    } catch (cause) {
      tellStray = mention;
      const error = toWorkError(cause, fileName);
      ending.abort(error);
      throw error;
    } finally {
      clearTimeout(timer);
      giveUp.removeEventListener("abort", end);
    }
  };
}
