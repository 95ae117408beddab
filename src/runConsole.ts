import type { Logger } from "@logtape/logtape";
import PQueue from "p-queue";
import { openDatabase } from "./database.ts";
import { problemOf } from "./errors.ts";
import { createHttpClient } from "./httpClient.ts";
import { createKeySet } from "./keySet.ts";
import { loadCustomers } from "./loadCustomers.ts";
import { logOn } from "./logOn.ts";
import { runLoop } from "./loop.ts";
import { type PollParts, startPoll } from "./poll.ts";
import { createResultWriter, recordResults } from "./recordResults.ts";
import type { Redact } from "./redact.ts";
import type { RunSettings, Target } from "./settings.ts";
import { createSigner } from "./signToken.ts";

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
  const now = () => new Date();
  const monotonicMs = () => performance.now();
  const http = { fetch: createHttpClient(), timeoutMs: run.requestTimeoutMs, signal: giveUp };
  const database = openDatabase(target.databaseUrl);
  let allWritten = true;
  const writer = createResultWriter(
    (results) => recordResults(results, database),
    (error) => {
      allWritten = false;
      log.error("The results could not be written: {problem}. {remedy}", problemOf(error));
    },
  );
  const tools = {
    application: target,
    sign: createSigner(target.privateKey),
    keySet: createKeySet(target.loginUrl, http, monotonicMs),
    http,
    now,
    monotonicMs,
  };
  const parts: PollParts = {
    loadCustomers: () => loadCustomers(database),
    logOn: (customer, log) => logOn(customer, tools, log),
    record: (result) => writer.add({ ...result, error: result.error && redact(result.error) }),
    secrets,
    slots: new PQueue({ concurrency: run.concurrency }),
    inHand: new Set(),
    stop,
    now,
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
