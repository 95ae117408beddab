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
  /** Undefined where nobody looks. */
  progress: Progress | undefined;
  /** What is to be done before a poll counts as done; undefined where nothing is. */
  settle: (() => Promise<void>) | undefined;
  /** A clock in milliseconds that is never set back. */
  monotonicMs: () => number;
}

/** Where a poll remembers and speaks. */
export interface PollSurroundings {
  memory: Memory;
  /** Undefined where nobody collects any. */
  telemetry: Telemetry | undefined;
  log: Logger;
}

/**
 * Makes the polls. Each takes every customer once and has it visited when it is its turn. It resolves when all are taken. It never rejects: the database's failure is logged, and tried again at the next poll.
 *
 * @param stop ends the taking of customers; those in hand are finished
 */
export function createPoll(
  { visit, explain, takeNews, progress, settle, monotonicMs }: PollParts,
  turns: Turns,
  { memory, telemetry, log }: PollSurroundings,
  stop: AbortSignal,
): Poll {
  async function poll(pages: AsyncIterable<Customer[]>): Promise<StartedPoll> {
    const startedAt = monotonicMs();
    const counts = { ...NOBODY };
    const givenUp: string[] = [];
    const inHand = new Set<Promise<void>>();
    const roll = memory.callRoll();
    let complete = true;
    progress?.begin();

    async function visitInTurn(customer: Customer, turn: Turn | Promise<Turn>): Promise<void> {
      const own = await turn;
      const begins = !stop.aborted;
      try {
        if (!begins) return;
        const outcome = await visit(customer);
        counts[outcome]++;
        if (outcome === "workFailed") counts.loggedOn++;
        if (outcome === "givenUp") givenUp.push(customer.contextIdentifier);
        const done = counts.loggedOn + counts.skipped + counts.failed + counts.heldBack +
          counts.givenUp;
        progress?.tell(done, monotonicMs() - startedAt);
      } finally {
        memory.giveBack(customer, begins);
        own.end();
      }
    }

    async function take(customer: Customer): Promise<void> {
      roll.isHere(customer);
      const taken = memory.take(customer);
      if (taken !== "taken") {
        counts[taken]++;
        return;
      }
      const isSlow = memory.isSlow(customer);
      const turn = turns.take(customer.contextIdentifier, isSlow);
      // Rows are read no faster than they are worked on.
      const visiting = visitInTurn(customer, isSlow ? turn : await turn)
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
    } catch (error) {
      complete = false;
      log.error("{problem}. {remedy} [{code}]", { ...explain(error) });
    }

    async function finish(): Promise<PollSummary> {
      await Promise.all(inHand);
      await settle?.();
      if (complete && !stop.aborted) roll.complete();
      progress?.end();
      const durationMs = Math.round(monotonicMs() - startedAt);
      const summary = { ...counts, complete, durationMs };
      tellWhatAllAreRefusedFor(summary);
      log.info(
        (complete ? "Poll done" : "Poll broken off") +
          " in {durationMs} ms: {loggedOn} logged on" +
          (counts.workFailed > 0 ? " (the work failed for {workFailed} of them)" : "") +
          ", {skipped} skipped, {failed} failed" +
          (counts.heldBack > 0 ? ", {heldBack} held back since all are refused" : "") +
          (counts.givenUp > 0 ? `, {givenUp} given up at the stop (${namesOf(givenUp)})` : "") +
          (counts.waiting > 0 ? ", {waiting} refused before and waiting" : "") +
          (counts.stillInHand > 0 ? ", {stillInHand} still in hand from before" : ""),
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
