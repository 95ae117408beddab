import type { Logger } from "@logtape/logtape";
import type { Backoff } from "./backoff.ts";
import {
  DeniedError,
  InvalidSignatureError,
  NeedsReapprovalError,
  problemOf,
  RequestTimeoutError,
  RevokedError,
  StoppedError,
  TenantNotRunningError,
  TokenMissingError,
} from "./errors.ts";
import type { Customer } from "./loadCustomers.ts";
import type { LoggedOn } from "./logOn.ts";
import type { Result } from "./recordResults.ts";
import type { Secrets } from "./redact.ts";
import { createSlots, type Slots } from "./slots.ts";
import type { Telemetry } from "./telemetry.ts";

/** What one poll came to. */
export interface PollSummary {
  loggedOn: number;
  skipped: number;
  failed: number;
  /** Customers left out, because an earlier poll still had them in hand. */
  stillInHand: number;
  /** Customers left out, because they were refused and it is too early to try again. */
  waiting: number;
  /** Whether the customers could be read to the end. */
  complete: boolean;
  durationMs: number;
}

/** What is remembered from poll to poll. */
export interface PollMemory {
  /** The ids of the customers that have been taken and are not finished. */
  inHand: Set<string>;
  /** The ids of the customers that did not answer in time. */
  slow: Set<string>;
  /** The states of the tenants that take no calls, by the customers' ids, as they were last told. */
  toldStates: Map<string, string>;
  /** Lets CONCURRENCY customers be worked on at once. */
  slots: Slots;
  /** Lets slow customers have a quarter of the slots. */
  slowSlots: Slots;
}

export function createPollMemory(concurrency: number): PollMemory {
  return {
    inHand: new Set(),
    slow: new Set(),
    toldStates: new Map(),
    slots: createSlots(concurrency),
    slowSlots: createSlots(Math.ceil(concurrency / 4)),
  };
}

/** What a poll needs, the same for every poll. */
export interface PollParts {
  loadCustomers: () => AsyncIterable<Customer>;
  logOn: (customer: Customer, log: Logger) => Promise<LoggedOn>;
  /** The vendor's own work, after the log-on; gives a summary for the log, or nothing. */
  work?: (customer: Customer, loggedOn: LoggedOn, log: Logger) => Promise<string | undefined>;
  record: (result: Result) => void;
  backoff: Backoff;
  telemetry: Telemetry;
  /** Shows a person how far a poll is. */
  progress?: {
    total: () => Promise<number>;
    tell: (done: number, total: number, elapsedMs: number) => void;
    end: () => void;
  };
  /** When it does not answer in time, that makes no customer slow. */
  loginHost: string;
  /** Where the secrets of the customers in hand are kept for the redaction. */
  secrets: Secrets;
  memory: PollMemory;
  /** Ends the taking of customers; those in hand are finished. */
  stop: AbortSignal;
  now: () => Date;
  /** A clock in milliseconds that is never set back, for durations. */
  monotonicMs: () => number;
  log: Logger;
}

/**
 * Takes every active customer once and logs on to its tenant, as many at once as there are slots.
 * Resolves when all are taken; `done` resolves when all are finished. Never rejects: a customer's failure is
 * logged and recorded as that customer's alone, the database's is logged and tried again at the next poll.
 */
export async function startPoll(parts: PollParts): Promise<{ done: Promise<PollSummary> }> {
  const { loadCustomers, backoff, memory, telemetry, progress, stop, monotonicMs, log } = parts;
  const { inHand, slow, toldStates, slots, slowSlots } = memory;
  const startedAt = monotonicMs();
  const summary = {
    loggedOn: 0,
    skipped: 0,
    failed: 0,
    stillInHand: 0,
    waiting: 0,
    complete: true,
  };
  const working = new Set<Promise<void>>();
  const troubledBefore = new Set([...slow, ...toldStates.keys()]);

  let total = 0;
  void progress?.total().then((count) => total = count, () => {});

  /** Works on a customer that has its slot, and gives that back. */
  async function take(customer: Customer): Promise<void> {
    try {
      if (stop.aborted) return;
      const outcome = await workOn(customer, parts).catch((error) => {
        log.error("{problem}. {remedy} [{code}]", problemOf(error));
        return "failed" as const;
      });
      summary[outcome]++;
      telemetry.count(COUNTERS[outcome]);
      const done = summary.loggedOn + summary.skipped + summary.failed;
      progress?.tell(done, Math.max(done, total), monotonicMs() - startedAt);
    } finally {
      inHand.delete(customer.id);
      slots.free();
    }
  }

  /** The slow ones queue among themselves, and hold nobody else up. */
  async function takeSlowly(customer: Customer): Promise<void> {
    await slowSlots.take();
    await slots.take();
    await take(customer).finally(slowSlots.free);
  }

  try {
    for await (const customer of loadCustomers()) {
      if (stop.aborted) break;
      troubledBefore.delete(customer.id);
      if (inHand.has(customer.id)) summary.stillInHand++;
      else if (!backoff.mayTry(customer)) summary.waiting++;
      else {
        inHand.add(customer.id);
        const isSlow = slow.has(customer.id);
        // Rows are read no faster than they are worked on.
        if (!isSlow) await slots.take();
        const work = (isSlow ? takeSlowly(customer) : take(customer))
          .then(() => void working.delete(work));
        working.add(work);
      }
    }
  } catch (error) {
    summary.complete = false;
    log.error("{problem}. {remedy} [{code}]", problemOf(error));
  }

  async function finish(): Promise<PollSummary> {
    await Promise.all(working);
    if (summary.complete && !stop.aborted) {
      // Customers that are active no more leave nothing behind.
      for (const id of troubledBefore) [slow, toldStates].forEach((known) => known.delete(id));
    }
    progress?.end();
    const done = { ...summary, durationMs: Math.round(monotonicMs() - startedAt) };
    log.info(
      (done.complete ? "Poll done" : "Poll broken off") +
        " in {durationMs} ms: {loggedOn} logged on, {skipped} skipped, {failed} failed" +
        (done.waiting > 0 ? ", {waiting} refused before and waiting" : "") +
        (done.stillInHand > 0 ? ", {stillInHand} still in hand from before" : ""),
      { ...done },
    );
    return done;
  }
  return { done: finish() };
}

type Outcome = "loggedOn" | "skipped" | "failed";

const COUNTERS = {
  loggedOn: "customers.logged_on",
  skipped: "customers.skipped",
  failed: "customers.failed",
} as const;

/** Logs on to one customer's tenant, and says, records and remembers what came of it. */
async function workOn(customer: Customer, parts: PollParts): Promise<Outcome> {
  const { id, contextIdentifier, systemUserToken } = customer;
  const { logOn, work, record, backoff, telemetry, loginHost, secrets, now } = parts;
  const { slow, toldStates } = parts.memory;
  const log = parts.log.with({ customer: contextIdentifier });
  secrets.add(systemUserToken);
  try {
    if (systemUserToken === "") throw new TokenMissingError("The row holds no system user token");
    // What changes while the work goes on belongs to the next time.
    const syncedAt = now();
    const loggedOn = await telemetry.span(
      "customer",
      { "superoffice.customer": contextIdentifier },
      () => logOn(customer, log),
    );
    const { associate, associateId } = loggedOn.principal;
    parts.log.info("Logged on to context {customer} as {associate}", {
      customer: contextIdentifier,
      associate,
      associateId,
    });
    const summary = await work?.(customer, loggedOn, log);
    if (summary !== undefined) log.info("{customer}: {summary}", { summary });
    record({ id, syncedAt, error: null });
    slow.delete(id);
    toldStates.delete(id);
    backoff.passed(customer);
    return "loggedOn";
  } catch (error) {
    const problem = problemOf(error);
    if (!(error instanceof StoppedError)) {
      record({ id, syncedAt: null, error: `${problem.problem}. ${problem.remedy}` });
    }
    if (error instanceof RequestTimeoutError && error.host !== loginHost) slow.add(id);
    else slow.delete(id);
    if (needsPeople(error)) backoff.refused(customer);
    else backoff.passed(customer);

    if (!(error instanceof TenantNotRunningError)) {
      log.warn("{customer}: {problem}. {remedy} [{code}]", problem);
      return "failed";
    }
    // Said once when the state changes, not at every poll.
    const { state } = error;
    const isTold = toldStates.get(id) === state;
    toldStates.set(id, state);
    const level = isTold ? "debug" : state === "Deleted" ? "warn" : "info";
    log[level]("{customer}: skipped. {problem}. {remedy}", { ...problem, state });
    return "skipped";
  } finally {
    secrets.delete(systemUserToken);
  }
}

/** Whether trying again is of no use before somebody has done something about it. */
function needsPeople(error: unknown): boolean {
  return [RevokedError, DeniedError, NeedsReapprovalError, InvalidSignatureError]
    .some((kind) => error instanceof kind);
}
