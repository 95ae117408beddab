import type { Logger } from "@logtape/logtape";
import type PQueue from "p-queue";
import { problemOf, StoppedError } from "./errors.ts";
import type { Customer } from "./loadCustomers.ts";
import type { LogOn } from "./logOn.ts";
import type { Result } from "./recordResults.ts";

/** What one poll came to. */
export interface PollSummary {
  loggedOn: number;
  skipped: number;
  failed: number;
  /** Customers left out, because an earlier poll still had them in hand. */
  stillInHand: number;
  /** Whether the customers could be read to the end. */
  complete: boolean;
  durationMs: number;
}

/** What a poll needs, the same for every poll. */
export interface PollParts {
  loadCustomers: () => AsyncIterable<Customer>;
  logOn: (customer: Customer, log: Logger) => Promise<LogOn>;
  record: (result: Result) => void;
  /** Where the secrets of the customers in hand are kept for the redaction. */
  secrets: Set<string>;
  /** Lets CONCURRENCY customers be worked on at once, over all polls. */
  slots: PQueue;
  /** The ids of the customers that have been taken and are not finished. */
  inHand: Set<string>;
  /** Ends the taking of customers; those in hand are finished. */
  stop: AbortSignal;
  now: () => Date;
  monotonicMs: () => number;
  log: Logger;
}

/**
 * Takes every active customer once and logs on to its tenant, as many at once as there are slots.
 * Resolves when all are taken; `done` resolves when all are finished. Never rejects: a customer's failure is
 * logged and recorded as that customer's alone, the database's is logged and tried again at the next poll.
 */
export async function startPoll(parts: PollParts): Promise<{ done: Promise<PollSummary> }> {
  const { loadCustomers, slots, inHand, stop, monotonicMs, log } = parts;
  const startedAt = monotonicMs();
  const summary = { loggedOn: 0, skipped: 0, failed: 0, stillInHand: 0, complete: true };
  const working = new Set<Promise<void>>();

  try {
    for await (const customer of loadCustomers()) {
      await slots.onSizeLessThan(1);
      if (stop.aborted) break;
      if (inHand.has(customer.id)) {
        summary.stillInHand++;
        continue;
      }
      inHand.add(customer.id);
      const work = slots.add(async () => {
        if (!stop.aborted) summary[await workOn(customer, parts)]++;
      }).finally(() => {
        inHand.delete(customer.id);
        working.delete(work);
      });
      working.add(work);
    }
  } catch (error) {
    summary.complete = false;
    log.error("{problem}. {remedy}", problemOf(error));
  }

  async function finish(): Promise<PollSummary> {
    await Promise.all(working);
    const done = { ...summary, durationMs: Math.round(monotonicMs() - startedAt) };
    log.info(
      "Poll done in {durationMs} ms: {loggedOn} logged on, {skipped} skipped, {failed} failed" +
        (done.stillInHand > 0 ? ", {stillInHand} still in hand from before" : ""),
      { ...done },
    );
    return done;
  }
  return { done: finish() };
}

type Outcome = "loggedOn" | "skipped" | "failed";

/** Logs on to one customer's tenant, and says and records what came of it. */
async function workOn(customer: Customer, parts: PollParts): Promise<Outcome> {
  const { id, contextIdentifier, systemUserToken } = customer;
  const { logOn, record, secrets, now } = parts;
  const log = parts.log.with({ customer: contextIdentifier });
  secrets.add(systemUserToken);
  try {
    const result = await logOn(customer, log);
    if ("skipped" in result) {
      const reason = `the tenant takes no calls, its state is ${result.skipped}`;
      log.info("{customer}: skipped, {reason}", { reason, state: result.skipped });
      record({ id, syncedAt: null, error: `Skipped: ${reason}` });
      return "skipped";
    }
    const { associate, associateId } = result.principal;
    log.info("Logged on to context {customer} as {associate}", { associate, associateId });
    record({ id, syncedAt: now(), error: null });
    return "loggedOn";
  } catch (error) {
    const { problem, remedy, code } = problemOf(error);
    log.warn("{customer}: {problem}. {remedy}", { problem, remedy, code });
    if (!(error instanceof StoppedError)) {
      record({ id, syncedAt: null, error: `${problem}. ${remedy}` });
    }
    return "failed";
  } finally {
    secrets.delete(systemUserToken);
  }
}
