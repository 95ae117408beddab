import type { Concurrency } from "./turns/concurrency.ts";
import type { BeatSummary } from "./memory.ts";
import type { Outcome } from "./visit.ts";

/** What one poll came to; those whose work failed were logged on to, and count as such, too. */
export interface PollSummary extends Record<Outcome, number> {
  /** Customers left out, because an earlier poll still had them in hand; in a beat that this console cut, those of all consoles. */
  stillInHand: number;
  /** Customers left out, because they were refused and it is too early to try again. */
  waiting: number;
  /** Customers left out, because it is not their moment; undefined where there are none. */
  notDue?: number;
  /** Customers left out, because they were given back, or another console may have them, when their turn came; undefined where there are none. */
  elsewhere?: number;
  /** Customers left out, because a stop came first, as far as they were read; undefined where there are none. */
  notBegun?: number;
  /** Customers that were due in an earlier beat, and come in this one; undefined where there are none. */
  leftOver?: number;
  /** How many calls were made since the last poll was done; what customers in hand since earlier polls make is among them. */
  calls: number;
  /** Whether the customers could be read to the end. */
  complete: boolean;
  durationMs: number;
}

/** What else is said of a poll. */
export interface PollEnd {
  /** The names of those who were given up at a stop. */
  givenUp: string[];
  /** Whether a stop came before all customers were read. */
  isStopped: boolean;
  /** Undefined where no work is shared. */
  beat: BeatSummary | undefined;
  /** How many tenants are worked on at once from now on, where that has changed. */
  change: ReturnType<Concurrency["takeChange"]>;
}

const MOST_NAMES = 10;

/** Says what a poll came to, in one line with the summary's properties in it, and `nextBeatSeconds`. */
export function sentenceOf(summary: PollSummary, end: PollEnd): string {
  const { complete, workFailed, heldBack, notDue, waiting, stillInHand, elsewhere, calls } =
    summary;
  const { notBegun = 0, leftOver } = summary;
  const { givenUp, isStopped, beat, change } = end;
  const isShared = beat?.end === "stopped";
  const isCutShort = isStopped || isShared || notBegun > 0;
  return [
    !complete ? "Poll broken off" : isCutShort ? "Poll stopped" : "Poll done",
    " in {durationMs} ms: {loggedOn} logged on",
    workFailed > 0 && " (the work failed for {workFailed} of them)",
    ", {skipped} skipped, {failed} failed",
    heldBack > 0 && ", {heldBack} held back since all are refused",
    givenUp.length > 0 && `, {givenUp} given up at the stop (${namesOf(givenUp)})`,
    notDue !== undefined && ", {notDue} not due",
    waiting > 0 && ", {waiting} refused before and waiting",
    stillInHand > 0 && ", {stillInHand} still in hand from before",
    elsewhere !== undefined &&
    ", {elsewhere} no more this console's when their turn came",
    notBegun > 0 && ", {notBegun} not begun",
    isShared ? ", the others left to other consoles" : isStopped && ", the others not begun",
    leftOver !== undefined && ", {leftOver} of this beat's left over from the one before",
    calls > 0 && `, {calls} call${calls === 1 ? "" : "s"}`,
    beat?.end === "cameFirst" &&
    "; the beat's end came first: what was left comes first in the next",
    beat?.end === "othersDidIt" &&
    "; nothing was left of this beat, which another console did, or an earlier run: the next begins in {nextBeatSeconds} s",
    change !== undefined && ", {concurrency} tenants at once from now on",
    change?.isForTrouble && ", since several got no answer or were told to ask less",
  ].filter(Boolean).join("");
}

/** Some of the names, where there are many. */
function namesOf(customers: string[]): string {
  const more = customers.length - MOST_NAMES;
  return customers.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
