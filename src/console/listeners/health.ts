// How the console is, for whoever supervises it.
import type { Memory } from "../memory.ts";
import type { StartedPoll } from "../poll.ts";
import type { Answer, Route } from "./server.ts";

/** Looks on, and tells how it goes. */
export interface Health {
  /** Notes that customers come from the database, and are worked on. */
  watching(memory: Memory): Memory;
  /** Notes when a poll begins, and how it ends. */
  watched(startPoll: () => Promise<StartedPoll>): () => Promise<StartedPoll>;
  routes: Route[];
}

/** How many beats may pass without a sign of life. */
const BEATS = 3;
/** And how long a database that does not answer may keep a poll waiting. */
const DATABASE_MS = 10_000;

/**
 * Makes what looks on. `/livez` asks whether the process still does something, of which the database's trouble is no part: a
 * restart would not mend it. `/readyz` asks whether it does what it is there for.
 *
 * @param pollMs from one poll's start to the next, in milliseconds
 * @param longestMs how long one customer may take, in milliseconds
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createHealth(
  pollMs: number,
  longestMs: number,
  monotonicMs: () => number,
): Health {
  const limitMs = BEATS * pollMs + longestMs + DATABASE_MS;
  let livedAtMs = monotonicMs();
  let answeredAtMs = -Infinity;
  let isAnyComplete = false;
  const lives = () => void (livedAtMs = monotonicMs());
  const ago = (ms: number) => `${Math.floor((monotonicMs() - ms) / 1000)} s ago`;

  function livez(): Answer {
    const isAlive = monotonicMs() - livedAtMs <= limitMs;
    const text = `${isAlive ? "alive" : "stuck"}: it last began something ${ago(livedAtMs)}`;
    return { status: isAlive ? 200 : 503, text };
  }

  function readyz(): Answer {
    const no = (why: string) => ({ status: 503, text: `not ready: ${why}` });
    if (answeredAtMs === -Infinity) return no("the database has not given all customers yet");
    if (monotonicMs() - answeredAtMs > limitMs) {
      return no(`the database last gave customers ${ago(answeredAtMs)}`);
    }
    if (!isAnyComplete) return no("the first poll is not done yet");
    return { status: 200, text: `ready: the database last gave customers ${ago(answeredAtMs)}` };
  }

  const route = (path: string, answer: () => Answer) => ({
    path,
    methods: ["GET", "HEAD"],
    answer,
  });
  return {
    watching: (memory) => ({
      ...memory,
      take(customer) {
        lives();
        return memory.take(customer);
      },
      giveBack(customer, wasBegun) {
        lives();
        memory.giveBack(customer, wasBegun);
      },
      callRoll() {
        const roll = memory.callRoll();
        const answers = () => {
          // The first time it is all of them.
          if (answeredAtMs !== -Infinity) answeredAtMs = monotonicMs();
        };
        return {
          isHere(customer) {
            answers();
            roll.isHere(customer);
          },
          complete() {
            answeredAtMs = monotonicMs();
            roll.complete();
          },
        };
      },
    }),
    watched: (startPoll) => async () => {
      lives();
      const { done } = await startPoll();
      void done.then(({ complete }) => isAnyComplete ||= complete, () => {});
      return { done };
    },
    routes: [route("/livez", livez), route("/readyz", readyz)],
  };
}
