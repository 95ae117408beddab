import type { Logger } from "@logtape/logtape";
import { createBackoff } from "./backoff.ts";
import { createClock } from "./clock.ts";
import { openDatabase } from "./database.ts";
import { problemOf } from "./errors.ts";
import { createHttpClient } from "./httpClient.ts";
import { createKeySet } from "./keySet.ts";
import { loadCustomers } from "./loadCustomers.ts";
import { logOn } from "./logOn.ts";
import { runLoop } from "./loop.ts";
import { createPollMemory, type PollParts, startPoll } from "./poll.ts";
import { createResultWriter, recordResults } from "./recordResults.ts";
import type { Redact } from "./redact.ts";
import type { RunSettings, Target } from "./settings.ts";
import { createSigner } from "./signToken.ts";
import { createTenantStates } from "./tenantStates.ts";
import { createTickets, TICKET_LIFETIME_MS } from "./tickets.ts";
import type { Tools } from "./withTicket.ts";

/** What the console needs from the program around it. */
export interface Surroundings {
  log: Logger;
  /** What `redact` hides; the customers in hand add theirs. */
  secrets: Set<string>;
  redact: Redact;
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
  once: boolean,
  { log, secrets, redact, stop, giveUp }: Surroundings,
): Promise<boolean> {
  const clock = createClock(() => new Date());
  const monotonicMs = () => performance.now();
  const http = { fetch: createHttpClient(), timeoutMs: run.requestTimeoutMs, signal: giveUp };
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
    monotonicMs,
  };
  const parts: PollParts = {
    loadCustomers: () => loadCustomers(database),
    logOn: (customer, log) => logOn(customer, tools, log),
    record: (result) => writer.add({ ...result, error: result.error && redact(result.error) }),
    backoff: createBackoff(run.pollMs, monotonicMs),
    secrets,
    memory: createPollMemory(run.concurrency),
    stop,
    now: clock.now,
    monotonicMs,
    log,
  };

  try {
    if (!once) {
      await runLoop(() => startPoll(parts), run.pollMs, stop, monotonicMs);
      return true;
    }
    const { complete, failed } = await (await startPoll(parts)).done;
    await writer.flush();
    return complete && failed === 0 && allWritten;
  } finally {
    await writer.flush();
    await database.end({ timeout: 1 });
  }
}
