import type { Logger } from "@logtape/logtape";
import { createBackoff } from "./backoff.ts";
import { createClock } from "./clock.ts";
import { openDatabase } from "./database.ts";
import { problemOf } from "./errors.ts";
import { createHttpClient } from "./httpClient.ts";
import { createKeySet } from "./keySet.ts";
import { countCustomers, loadCustomers } from "./loadCustomers.ts";
import { logOn } from "./logOn.ts";
import { runLoop } from "./loop.ts";
import { createPollMemory, type PollParts, type PollSummary, startPoll } from "./poll.ts";
import { createResultWriter, recordResults } from "./recordResults.ts";
import type { Redact, Secrets } from "./redact.ts";
import type { RunSettings, Target } from "./settings.ts";
import { createSigner } from "./signToken.ts";
import type { StatusLine } from "./statusLine.ts";
import type { Telemetry } from "./telemetry.ts";
import { createTenantStates } from "./tenantStates.ts";
import { createTickets, TICKET_LIFETIME_MS } from "./tickets.ts";
import type { Tools } from "./step.ts";
import { type LoadedWork, runWork } from "./work.ts";

/** What the console needs from the program around it. */
export interface Surroundings {
  log: Logger;
  /** What `redact` hides; the customers in hand add theirs. */
  secrets: Secrets;
  redact: Redact;
  telemetry: Telemetry;
  /** Shows a person how far a poll is; undefined where nobody looks. */
  statusLine: StatusLine | undefined;
  /** Ends the taking of customers. */
  stop: AbortSignal;
  /** Ends the work in hand, too. */
  giveUp: AbortSignal;
}

/**
 * Wires the parts together and runs them: one poll with `once`, else polls until `stop`.
 * Gives whether all that was tried worked; a customer's failure and the database's are in the log.
 */
export async function runConsole(
  run: RunSettings,
  target: Target,
  work: LoadedWork | undefined,
  once: boolean,
  { log, secrets, redact, telemetry, statusLine, stop, giveUp }: Surroundings,
): Promise<boolean> {
  const clock = createClock(() => new Date());
  const monotonicMs = () => performance.now();
  const http = { send: createHttpClient(), timeoutMs: run.requestTimeoutMs, signal: giveUp };
  const database = openDatabase(target.databaseUrl);
  let allWritten = true;
  const writer = createResultWriter(
    (results) => recordResults(results, database),
    (error) => {
      allWritten = false;
      log.error("The results could not be written: {problem}. {remedy} [{code}]", problemOf(error));
    },
  );
  const tools: Tools = {
    application: target,
    sign: createSigner(target.privateKey),
    keySet: createKeySet(target.loginUrl, http, monotonicMs),
    tickets: createTickets(run.reuseTickets ? TICKET_LIFETIME_MS : 0, monotonicMs),
    states: createTenantStates(run.pollMs, monotonicMs),
    http,
    clock,
    telemetry,
    monotonicMs,
  };
  const parts: PollParts = {
    loadCustomers: () => loadCustomers(database),
    logOn: (customer, log) => logOn(customer, tools, log),
    ...(work === undefined ? {} : {
      work: (customer, loggedOn, log) => runWork(work, customer, loggedOn, tools, log),
    }),
    record: (result) => writer.add({ ...result, error: result.error && redact(result.error) }),
    telemetry,
    ...(statusLine === undefined ? {} : {
      progress: {
        total: () => countCustomers(database),
        tell: statusLine.tell,
        end: statusLine.clear,
      },
    }),
    backoff: createBackoff(run.pollMs, monotonicMs),
    loginHost: new URL(target.loginUrl).host,
    secrets,
    memory: createPollMemory(run.concurrency),
    stop,
    now: clock.now,
    monotonicMs,
    log,
  };

  /** A poll inside a span that lasts until its last customer is done. */
  async function poll(): Promise<{ done: Promise<PollSummary> }> {
    return await new Promise((taken) => {
      void telemetry.span("poll", {}, async () => {
        const started = await startPoll(parts);
        taken(started);
        await started.done;
      });
    });
  }

  try {
    if (!once) {
      await runLoop(poll, run.pollMs, stop, monotonicMs);
      return true;
    }
    const { complete, failed } = await (await poll()).done;
    await writer.flush();
    return complete && failed === 0 && allWritten;
  } finally {
    await writer.flush();
    await database.end({ timeout: 1 });
  }
}
