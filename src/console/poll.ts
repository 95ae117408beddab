import type { Logger } from "@logtape/logtape";
import type { CutCounts } from "../database/division.ts";
import type { Customer } from "../database/loadCustomers.ts";
import type { Concurrency } from "./turns/concurrency.ts";
import type { SharedTrouble } from "./heldBack.ts";
import type { Memory } from "./memory.ts";
import { type PollSummary, sentenceOf } from "./pollSummary.ts";
import type { Turn, Turns } from "./turns/turns.ts";
import type { Visit } from "./visit.ts";
import type { Explanation, Progress, Span, Telemetry } from "./wanted.ts";

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

/** What is counted where there are any. */
type Rare = "notDue" | "elsewhere" | "notBegun" | "leftOver";

/** What a poll does. */
export interface PollParts {
  visit: Visit;
  /** What all are refused for, where nobody was told yet. */
  takeNews: () => SharedTrouble | undefined;
  /** How many calls were made since it was last asked. */
  takeCalls: () => number;
  /** Does what is to be done before a poll counts as done. */
  settle: () => Promise<void>;
  /** Undefined where nobody looks. */
  progress: Progress | undefined;
  /** How many tenants are worked on at once from now on, where that has changed. */
  takeChange: Concurrency["takeChange"];
}

/** Where a poll remembers and speaks. */
export interface PollSurroundings {
  memory: Memory;
  explain: (error: unknown) => Explanation;
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
  { visit, takeNews, takeCalls, takeChange, settle, progress }: PollParts,
  turns: Turns,
  { memory, explain, telemetry, monotonicMs, log }: PollSurroundings,
  stop: AbortSignal,
): Poll {
  async function poll(pages: AsyncIterable<Customer[]>): Promise<StartedPoll> {
    const startedAt = monotonicMs();
    const counts: typeof NOBODY & Pick<PollSummary, Rare> = { ...NOBODY };
    const givenUp: string[] = [];
    const inHand = new Set<Promise<void>>();
    const roll = memory.callRoll();
    let complete = true;
    let wasStopped = stop.aborted;
    let isStopped = false;
    progress?.begin();

    function countOne(what: Rare, customers = 1): void {
      counts[what] = (counts[what] ?? 0) + customers;
    }

    async function visitInTurn(
      customer: Customer,
      turn: Turn | undefined | Promise<Turn | undefined>,
    ): Promise<void> {
      const own = await turn;
      const begins = !stop.aborted;
      try {
        if (!begins) return void countOne("notBegun");
        const outcome = await visit(customer);
        counts[outcome]++;
        if (outcome === "workFailed") counts.loggedOn++;
        if (outcome === "givenUp") givenUp.push(customer.contextIdentifier);
        const done = counts.loggedOn + counts.skipped + counts.failed + counts.heldBack +
          counts.givenUp + (counts.notDue ?? 0);
        progress?.tell(done, monotonicMs() - startedAt);
      } finally {
        memory.giveBack(customer, begins);
        own?.end();
      }
    }

    async function take(customer: Customer): Promise<void> {
      roll.isHere(customer);
      const moment = memory.momentOf(customer);
      if (moment === "notDue") return countOne("notDue");
      const taken = memory.take(customer);
      if (taken === "elsewhere") return countOne("elsewhere");
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
        // Whoever comes in a page after the stop is one of others of whom nobody knows how many they are.
        isStopped = wasStopped && page.length > 0;
        if (isStopped) break;
        for (const customer of page) {
          if (stop.aborted) countOne("notBegun");
          else await take(customer);
        }
        wasStopped = stop.aborted;
      }
      if (!stop.aborted) roll.complete();
    } catch (error) {
      complete = false;
      log.error("{problem}. {remedy} [{code}]", { ...explain(error) });
    }

    /** Those who fall to no console. */
    function addBeat({ notDue, waiting, inHand, leftOver }: CutCounts): void {
      if (notDue > 0) countOne("notDue", notDue);
      if (leftOver > 0) countOne("leftOver", leftOver);
      counts.waiting += waiting;
      counts.stillInHand += inHand;
    }

    async function finish(): Promise<PollSummary> {
      await Promise.all(inHand);
      await settle();
      progress?.end();
      const durationMs = Math.round(monotonicMs() - startedAt);
      const beat = roll.beat?.();
      if (beat?.counts !== undefined) addBeat(beat.counts);
      const summary = { ...counts, calls: takeCalls(), complete, durationMs };
      tellWhatAllAreRefusedFor(summary);
      const change = takeChange();
      log.info(sentenceOf(summary, { givenUp, isStopped, beat, change }), {
        ...summary,
        ...(change && { concurrency: change.concurrency }),
        ...(beat?.end === "othersDidIt" && { nextBeatSeconds: beat.nextBeatSeconds }),
      });
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
