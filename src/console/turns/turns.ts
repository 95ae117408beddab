import type { Send } from "../../superoffice/http.ts";
import { type Concurrency, createConcurrency, LEAST } from "./concurrency.ts";
import { sleep } from "../sleep.ts";
import { createSlots } from "./slots.ts";

/** A tenant's turn to be worked on. */
export interface Turn {
  /** Gives it to the next. */
  end(): void;
}

/**
 * Waits `ms` milliseconds for the tenant named, or for all; or until `stop`, which ends everything, or `signal`, which ends this
 * request alone.
 */
export type Wait = (
  contextIdentifier: string | undefined,
  ms: number,
  stop: AbortSignal,
  signal?: AbortSignal,
) => Promise<void>;

/** Whose turn it is. */
export interface Turns {
  /** Takes a turn, as soon as there is one. The slow ones queue among themselves, and hold nobody else up. */
  take(contextIdentifier: string, isSlow: boolean): Promise<Turn>;
  /** Waits aside for `until`: somebody else has the tenant's turn meanwhile. After a stop no turn is taken again. */
  aside: <T>(
    contextIdentifier: string | undefined,
    until: Promise<T>,
    stop: AbortSignal,
  ) => Promise<T>;
  /** The same, for a time. */
  wait: Wait;
  /** Lets so many be worked on at once from now on. Those that are at work go on. */
  resize(concurrency: number): void;
  /** Whether somebody waits for a turn; of the slow ones, only those whose turn it is among themselves. */
  isCrowded(): boolean;
}

/** Lets `concurrency` tenants be worked on at once, and of those that are slow a quarter. */
export function createTurns(concurrency: number): Turns {
  const slots = createSlots(concurrency);
  const slowSlots = createSlots(slowOf(concurrency));
  const atWork = new Map<string, ReturnType<typeof createTurn>>();

  async function takeSlots(isSlow: boolean): Promise<void> {
    if (isSlow) await slowSlots.take();
    await slots.take();
  }

  function freeSlots(isSlow: boolean): void {
    slots.free();
    if (isSlow) slowSlots.free();
  }

  function createTurn(contextIdentifier: string, isSlow: boolean) {
    let isHeld = true;
    let hasEnded = false;
    let taking: Promise<void> | undefined;
    const turn = {
      release() {
        if (isHeld) freeSlots(isSlow);
        isHeld = false;
      },
      /** Once for all of a tenant's requests that waited. */
      async retake() {
        if (isHeld || hasEnded) return;
        taking ??= takeSlots(isSlow).then(() => {
          taking = undefined;
          if (hasEnded) freeSlots(isSlow);
          else isHeld = true;
        });
        await taking;
      },
      end() {
        hasEnded = true;
        turn.release();
        if (atWork.get(contextIdentifier) === turn) atWork.delete(contextIdentifier);
      },
    };
    return turn;
  }

  async function aside<T>(
    contextIdentifier: string | undefined,
    until: Promise<T>,
    stop: AbortSignal,
  ): Promise<T> {
    const turn = atWork.get(contextIdentifier ?? "");
    turn?.release();
    const result = await until;
    // After a stop nothing more is done, and no turn is needed to say so.
    if (!stop.aborted) await turn?.retake();
    return result;
  }

  return {
    async take(contextIdentifier, isSlow) {
      await takeSlots(isSlow);
      const turn = createTurn(contextIdentifier, isSlow);
      atWork.set(contextIdentifier, turn);
      return turn;
    },
    aside,
    // A request's end is not its script's.
    wait: (contextIdentifier, ms, stop, signal) =>
      aside(contextIdentifier, sleep(ms, stop, signal), stop),
    resize(concurrency) {
      slots.resize(concurrency);
      slowSlots.resize(slowOf(concurrency));
    },
    isCrowded: slots.isCrowded,
  };
}

function slowOf(concurrency: number): number {
  return Math.ceil(concurrency / 4);
}

/** Tells whenever a turn ends, and whether others wait for theirs then. */
function tellingEnds(turns: Turns, tell: (isCrowded: boolean) => void): Turns {
  return {
    ...turns,
    async take(contextIdentifier, isSlow) {
      const turn = await turns.take(contextIdentifier, isSlow);
      return {
        end() {
          tell(turns.isCrowded());
          turn.end();
        },
      };
    },
  };
}

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
