import type { Logger } from "@logtape/logtape";
import type { Customer } from "../database/loadCustomers.ts";
import type { SharedTrouble } from "./heldBack.ts";
import type { Memory } from "./memory.ts";
import type { Turn, Turns } from "./turns.ts";
import type { Outcome, Visit } from "./visit.ts";
import type { Explanation, Progress, Span, Telemetry } from "./wanted.ts";

/** What one poll came to; those whose work failed were logged on to, and count as such, too. */
export interface PollSummary extends Record<Outcome, number> {
  /** Customers left out, because an earlier poll still had them in hand. */
  stillInHand: number;
  /** Customers left out, because they were refused and it is too early to try again. */
  waiting: number;
  /** Customers left out, because it is not their moment; undefined where there are none. */
  notDue?: number;
  /** How many calls were made since the last poll was done; what customers in hand since earlier polls make is among them. */
  calls: number;
  /** Whether the customers could be read to the end. */
  complete: boolean;
  durationMs: number;
}

/** A poll that has taken its customers. */
export interface StartedPoll {
  /** Resolves when all of them are finished. */
  done: Promise<PollSummary>;
}

/** Takes customers, which come in pages, and has them visited. */
export type Poll = (pages: AsyncIterable<Customer[]>) => Promise<StartedPoll>;

const NOBODY = {
  loggedOn: 0,
  workFailed: 0,
  skipped: 0,
  failed: 0,
  heldBack: 0,
  givenUp: 0,
  stillInHand: 0,
  waiting: 0,
};

const MOST_NAMES = 10;

/** What a poll does. */
export interface PollParts {
  visit: Visit;
  explain: (error: unknown) => Explanation;
  /** What all are refused for, where nobody was told yet. */
  takeNews: () => SharedTrouble | undefined;
  /** How many calls were made since it was last asked. */
  takeCalls: () => number;
  /** What is to be done before a poll counts as done; undefined where nothing is. */
  settle: (() => Promise<void>) | undefined;
  /** Undefined where nobody looks. */
  progress: Progress | undefined;
}

/** Where a poll remembers and speaks. */
export interface PollSurroundings {
  memory: Memory;
  /** Undefined where nobody collects any. */
  telemetry: Telemetry | undefined;
  /** A clock in milliseconds that is never set back. */
  monotonicMs: () => number;
  log: Logger;
}

/**
 * Makes the polls. Each takes every customer once and has it visited when it is its turn. It resolves when all are taken. It never rejects: the database's failure is logged, and tried again at the next poll.
 *
 * @param stop ends the taking of customers; those in hand are finished
 */
export function createPoll(
  { visit, explain, takeNews, takeCalls, settle, progress }: PollParts,
  turns: Turns,
  { memory, telemetry, monotonicMs, log }: PollSurroundings,
  stop: AbortSignal,
): Poll {
  let nobodyIsActive = false;

  async function poll(pages: AsyncIterable<Customer[]>): Promise<StartedPoll> {
    const startedAt = monotonicMs();
    const counts: typeof NOBODY & { notDue?: number } = { ...NOBODY };
    const givenUp: string[] = [];
    const inHand = new Set<Promise<void>>();
    const roll = memory.callRoll();
    let complete = true;
    let isAnybodyHere = false;
    progress?.begin();

    async function visitInTurn(
      customer: Customer,
      turn: Turn | undefined | Promise<Turn | undefined>,
    ): Promise<void> {
      const own = await turn;
      try {
        if (stop.aborted) return;
        const outcome = await visit(customer);
        counts[outcome]++;
        if (outcome === "workFailed") counts.loggedOn++;
        if (outcome === "givenUp") givenUp.push(customer.contextIdentifier);
        const done = counts.loggedOn + counts.skipped + counts.failed + counts.heldBack +
          counts.givenUp + (counts.notDue ?? 0);
        progress?.tell(done, monotonicMs() - startedAt);
      } finally {
        memory.giveBack(customer);
        own?.end();
      }
    }

    async function take(customer: Customer): Promise<void> {
      isAnybodyHere = true;
      roll.isHere(customer);
      const moment = memory.momentOf(customer);
      if (moment === "notDue") return void (counts.notDue = (counts.notDue ?? 0) + 1);
      const taken = memory.take(customer);
      if (taken !== "taken") return void counts[taken]++;
      const isSlow = memory.isSlow(customer);
      const takeTurn = () => turns.take(customer.contextIdentifier, isSlow);
      const turn = moment?.then(() => stop.aborted ? undefined : takeTurn()) ?? takeTurn();
      // Rows are read no faster than they are worked on, but for those whose moment is still to come.
      const mayReadOn = isSlow || moment !== undefined;
      const visiting = visitInTurn(customer, mayReadOn ? turn : await turn)
        .finally(() => inHand.delete(visiting));
      inHand.add(visiting);
    }

    try {
      for await (const page of pages) {
        for (const customer of page) {
          if (stop.aborted) break;
          await take(customer);
        }
        if (stop.aborted) break;
      }
      if (!stop.aborted) roll.complete();
    } catch (error) {
      complete = false;
      log.error("{problem}. {remedy} [{code}]", { ...explain(error) });
    }

    async function finish(): Promise<PollSummary> {
      await Promise.all(inHand);
      await settle?.();
      progress?.end();
      const durationMs = Math.round(monotonicMs() - startedAt);
      const summary = { ...counts, calls: takeCalls(), complete, durationMs };
      tellWhatAllAreRefusedFor(summary);
      if (complete && !stop.aborted) tellIfNobodyIsActive(!isAnybodyHere);
      log.info(
        (complete ? "Poll done" : "Poll broken off") +
          " in {durationMs} ms: {loggedOn} logged on" +
          (counts.workFailed > 0 ? " (the work failed for {workFailed} of them)" : "") +
          ", {skipped} skipped, {failed} failed" +
          (counts.heldBack > 0 ? ", {heldBack} held back since all are refused" : "") +
          (counts.givenUp > 0 ? `, {givenUp} given up at the stop (${namesOf(givenUp)})` : "") +
          (counts.notDue !== undefined ? ", {notDue} not due" : "") +
          (counts.waiting > 0 ? ", {waiting} refused before and waiting" : "") +
          (counts.stillInHand > 0 ? ", {stillInHand} still in hand from before" : "") +
          (summary.calls > 0 ? `, {calls} call${summary.calls === 1 ? "" : "s"}` : ""),
        { ...summary },
      );
      return summary;
    }
    return { done: finish() };
  }

  /** Once, when the poll has shown how many wait. */
  function tellWhatAllAreRefusedFor({ failed, heldBack, stillInHand }: PollSummary): void {
    const news = takeNews();
    if (news === undefined) return;
    log.warn(
      "Several customers in a row were refused, and nobody got through for {seconds} s: it is the application or its " +
        "settings, more likely than each of them. {customers} customers wait. {problem}. {remedy} " +
        "At each poll some are tried, one at a time; as soon as one gets through, all are. [{code}]",
      {
        ...explain(news.cause),
        seconds: Math.ceil(news.forMs / 1000),
        customers: failed + heldBack + stillInHand,
      },
    );
  }

  /** Once, until somebody is. */
  function tellIfNobodyIsActive(isNobody: boolean): void {
    if (isNobody && !nobodyIsActive) {
      log.info("No customer is active, so that there is nobody to log on to.");
    }
    nobodyIsActive = isNobody;
  }

  return telemetry === undefined ? poll : withSpan(poll, telemetry.span);
}

/** Some of the names, where there are many. */
function namesOf(customers: string[]): string {
  const more = customers.length - MOST_NAMES;
  return customers.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Puts a span around a poll, which lasts until its last customer is done. */
function withSpan(poll: Poll, span: Span): Poll {
  return (pages) =>
    new Promise((taken) => {
      void span("poll", {}, async () => {
        const started = await poll(pages);
        taken(started);
        await started.done;
      });
    });
}
