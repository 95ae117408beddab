import type { Logger } from "@logtape/logtape";
import type { Customer } from "../database/loadCustomers.ts";
import type { Worked } from "../database/recordResults.ts";
import { TenantNotRunningError } from "../superoffice/errors.ts";
import type { LoggedOn, LogOn } from "../superoffice/logOn.ts";
import { SharedTroubleError, StoppedError, TokenMissingError } from "./errors.ts";
import type { Memory } from "./memory.ts";
import type { CustomersResult } from "./resultWriter.ts";
import type { Explanation, Secrets, Telemetry } from "./wanted.ts";

/** What came of a visit. */
export type Outcome =
  | "loggedOn"
  | "workFailed"
  | "skipped"
  | "failed"
  | "heldBack"
  | "givenUp";

/** A customer whose work failed was logged on to all the same. */
const COUNTERS = {
  loggedOn: ["customers.logged_on"],
  workFailed: ["customers.logged_on", "customers.work_failed"],
  skipped: ["customers.skipped"],
  failed: ["customers.failed"],
  heldBack: ["customers.held_back"],
  givenUp: ["customers.given_up"],
} as const;

/** Visits one customer; never rejects. */
export type Visit = (customer: Customer) => Promise<Outcome>;

/**
 * The vendor's own work in a tenant, after the log-on; gives a summary for the log, or nothing. What it left behind, and fails
 * when all is over, is told to `failLate`.
 */
export type RunWork = (
  customer: Customer,
  loggedOn: LoggedOn,
  log: Logger,
  failLate: (error: unknown) => void,
) => Promise<string | undefined>;

/** What a visit does. */
export interface VisitParts {
  logOn: LogOn;
  work: RunWork | undefined;
  /** Records what came of it. */
  record: (result: CustomersResult) => void;
  explain: (error: unknown) => Explanation;
  /** A clock in milliseconds that is never set back. */
  monotonicMs: () => number;
}

/** Where a visit remembers and speaks. */
export interface VisitSurroundings {
  memory: Memory;
  /** Hides the customer's own secret while it is visited. */
  secrets: Secrets;
  /** Undefined where nobody collects any. */
  telemetry: Telemetry | undefined;
  log: Logger;
}

/**
 * Makes the visits to customers: logs on to the tenant and does the work there, and sees to it that what came of it is said,
 * recorded and remembered, for that customer alone.
 */
export function createVisit(
  { logOn, work, record, explain, monotonicMs }: VisitParts,
  { memory, secrets, telemetry, log }: VisitSurroundings,
): Visit {
  async function logOnAndWork(customer: Customer, startedAtMs: number): Promise<Outcome> {
    const { contextIdentifier, systemUserToken, databaseAheadMs } = customer;
    if (systemUserToken === "") throw new TokenMissingError("The row holds no system user token");
    const databaseNow = () => new Date(databaseAheadMs + monotonicMs());
    const syncedAt = databaseNow();
    const loggedOn = await logOn(customer);
    const { associate, associateId } = loggedOn.principal;
    log.info("Logged on to context {customer} as {associate}", {
      customer: contextIdentifier,
      associate,
      associateId,
    });
    let worked: Worked | null = null;
    if (work !== undefined) {
      // What changes while the work goes on belongs to the next time.
      worked = workedFrom(customer, databaseNow());
      const customersLog = log.with({ customer: contextIdentifier });
      try {
        const summary = await work(customer, loggedOn, customersLog, (error) => {
          void guarded(customer, () => fail(customer, error, monotonicMs(), "workFailed"));
          telemetry?.count("customers.work_failed");
        });
        if (summary !== undefined) customersLog.info("{customer}: {summary}", { summary });
      } catch (error) {
        return fail(customer, error, startedAtMs, "workFailed");
      }
    }
    tell(customer, syncedAt, null, worked);
    memory.succeeded(customer);
    return "loggedOn";
  }

  function tell(
    customer: Customer,
    syncedAt: Date | null,
    error: string | null,
    worked: Worked | null = null,
  ): void {
    const { id, contextIdentifier, systemUserToken } = customer;
    record({ id, contextIdentifier, systemUserToken, syncedAt, worked, error });
  }

  /** Nothing is recorded: what stands in the row is still true of the customer. */
  function failWithAll(
    customer: Customer,
    { cause, wasTried }: SharedTroubleError,
    outcome: "failed" | "workFailed",
  ): Outcome {
    const explanation = explain(cause);
    memory.failedWithAll(customer, explanation.code);
    log.debug("{customer}: {problem} [{code}]", {
      customer: customer.contextIdentifier,
      ...explanation,
    });
    return outcome === "workFailed" || wasTried ? outcome : "heldBack";
  }

  function fail(
    customer: Customer,
    error: unknown,
    startedAtMs: number,
    outcome: "failed" | "workFailed",
  ): Outcome {
    if (error instanceof SharedTroubleError) return failWithAll(customer, error, outcome);
    const { contextIdentifier } = customer;
    const customersLog = log.with({ customer: contextIdentifier });
    const explanation = explain(error);
    const { problem, remedy } = explanation;
    if (!(error instanceof StoppedError)) tell(customer, null, `${problem}. ${remedy}`);
    const isNews = memory.failed(customer, error, startedAtMs);
    if (!(error instanceof TenantNotRunningError)) {
      const isGivenUp = error instanceof StoppedError;
      const loggedOn = outcome === "failed" || isGivenUp
        ? ""
        : "The log-on worked, the work after it did not. ";
      const message = `{customer}: {problem}. ${loggedOn}{remedy} [{code}]`;
      customersLog.warn(message, { ...explanation });
      return isGivenUp ? "givenUp" : outcome;
    }
    // Said once when the state changes, not at every poll.
    const { state } = error;
    const level = !isNews ? "debug" : state === "Deleted" ? "warn" : "info";
    customersLog[level]("{customer}: skipped. {problem}. {remedy}", { ...explanation, state });
    return "skipped";
  }

  /** With the customer's own secret hidden; saying or recording may fail, too. */
  async function guarded(
    { systemUserToken }: Customer,
    deed: () => Outcome | Promise<Outcome>,
  ): Promise<Outcome> {
    secrets.add(systemUserToken);
    try {
      return await deed();
    } catch (error) {
      log.error("{problem}. {remedy} [{code}]", { ...explain(error) });
      return "failed";
    } finally {
      secrets.delete(systemUserToken);
    }
  }

  return async (customer) => {
    const startedAtMs = monotonicMs();
    const outcome = await guarded(customer, () =>
      logOnAndWork(customer, startedAtMs)
        .catch((error) => fail(customer, error, startedAtMs, "failed")));
    for (const counter of COUNTERS[outcome]) telemetry?.count(counter);
    return outcome;
  };
}

/** What there is to record of a run that began then, once it has ended well: nothing where the table does not keep it. */
function workedFrom({ lastWork }: Customer, beganAt: Date): Worked | null {
  return lastWork instanceof Error ? null : { beganAt, resumed: lastWork !== null };
}
