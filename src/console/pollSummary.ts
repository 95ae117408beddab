import type { Concurrency } from "./turns/concurrency.ts";
import type { Outcome } from "./visit.ts";

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

const MOST_NAMES = 10;

/**
 * Says what a poll came to, in one line with the summary's properties in it.
 *
 * @param givenUp the names of those who were given up at a stop
 * @param change how many tenants are worked on at once from now on, where that has changed
 */
export function sentenceOf(
  { complete, workFailed, heldBack, notDue, waiting, stillInHand, calls }: PollSummary,
  givenUp: string[],
  change: ReturnType<Concurrency["takeChange"]>,
): string {
  return [
    complete ? "Poll done" : "Poll broken off",
    " in {durationMs} ms: {loggedOn} logged on",
    workFailed > 0 && " (the work failed for {workFailed} of them)",
    ", {skipped} skipped, {failed} failed",
    heldBack > 0 && ", {heldBack} held back since all are refused",
    givenUp.length > 0 && `, {givenUp} given up at the stop (${namesOf(givenUp)})`,
    notDue !== undefined && ", {notDue} not due",
    waiting > 0 && ", {waiting} refused before and waiting",
    stillInHand > 0 && ", {stillInHand} still in hand from before",
    calls > 0 && `, {calls} call${calls === 1 ? "" : "s"}`,
    change !== undefined && ", {concurrency} tenants at once from now on",
    change?.isForTrouble && ", since several got no answer or were told to ask less",
  ].filter(Boolean).join("");
}

/** Some of the names, where there are many. */
function namesOf(customers: string[]): string {
  const more = customers.length - MOST_NAMES;
  return customers.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
