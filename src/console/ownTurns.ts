import type { Send } from "../superoffice/http.ts";
import { type Concurrency, createConcurrency, LEAST } from "./concurrency.ts";
import { createTurns, tellingEnds, type Turns } from "./turns.ts";

/** The turns of a console, and what finds out how many there are at once. */
export interface OwnTurns extends Omit<Concurrency, "turnEnds"> {
  turns: Turns;
}

/**
 * Makes turns: so many at once, or as many as suit.
 *
 * @param pollMs from one poll's start to the next
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createOwnTurns(
  concurrency: number | "auto",
  pollMs: number,
  monotonicMs: () => number,
): OwnTurns {
  if (concurrency !== "auto") {
    const nothing = () => undefined;
    const turns = createTurns(concurrency);
    return { turns, pollBegins: nothing, heeding: (send: Send) => send, takeChange: nothing };
  }
  const turns = createTurns(LEAST);
  const found = createConcurrency(turns.resize, pollMs, monotonicMs);
  return { ...found, turns: tellingEnds(turns, found.turnEnds) };
}
