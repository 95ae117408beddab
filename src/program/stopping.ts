// How the console is stopped: by a signal, or a second one, and how long it then waits.
import { setMaxListeners } from "node:events";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@logtape/logtape";
import { StoppedError } from "../console/errors.ts";
import { isSameKeystroke, type Keystroke, SAME_KEYSTROKE_MS } from "./keystroke.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** How the console is stopped. */
export interface Stopping {
  /** Aborted by the first signal: no more customers are taken. */
  stop: AbortSignal;
  /** Aborted `shutdownMs` later: what is still in hand is given up. */
  giveUp: AbortSignal;
  /** From now on the first signal lets work in hand be finished; before, it ends the process, and nothing may begin. */
  begin(shutdownMs: number, log: Logger): void;
  /** Nobody can listen while the event loop stands still: until it goes on, a signal ends the process as the system does it. */
  standAside(): void;
  /** Nothing is waited for any more, so that it is not said either. */
  workIsDone(): void;
  /** Says what stopped the console, where something did. */
  sayWhy(log: Logger): void;
  /** Resolves when the process may end. */
  mayEnd(): Promise<void>;
}

/**
 * Listens to the signals that stop the console.
 *
 * @param end ends the process with its exit code, after what is to be written
 */
export function createStopping(end: (exitCode: number) => unknown): Stopping {
  const stop = new AbortController();
  const giveUp = new AbortController();
  // Every request under way listens to the one, and who waits for a moment to the other.
  setMaxListeners(0, giveUp.signal, stop.signal);
  let first: Keystroke | undefined;
  let isDone = false;
  let notice: ReturnType<typeof setTimeout> | undefined;
  let onFirst = (): void => {
    stop.abort();
    end(0);
  };
  const msSinceFirst = () => performance.now() - (first?.at ?? -Infinity);

  function onSignal(name: NodeJS.Signals): void {
    const signal = { name, at: performance.now() };
    if (first === undefined) {
      first = signal;
      onFirst();
    } else if (!isSameKeystroke(first, signal)) {
      end(name === "SIGINT" ? 130 : 143);
    }
  }
  function listen(): void {
    // Once, however often it is asked for.
    for (const name of SIGNALS) process.off(name, onSignal).on(name, onSignal);
  }
  listen();
  // Who started it, as a child that it talks to, is gone.
  process.on("disconnect", () => onSignal("SIGTERM"));

  return {
    stop: stop.signal,
    giveUp: giveUp.signal,
    begin(shutdownMs, log) {
      onFirst = () => {
        stop.abort();
        const reason = new StoppedError("Stopped before it was done");
        setTimeout(() => giveUp.abort(reason), shutdownMs);
        // For what does not heed giveUp, such as a database that does not answer.
        setTimeout(() => end(0), shutdownMs + 1000);
        if (isDone) return;
        // Said when a second Ctrl-C can be told from the first.
        notice = setTimeout(() => {
          log.info(
            "Stopping: waiting at most {seconds} s for work in hand. Ctrl-C again stops at once.",
            { seconds: shutdownMs / 1000 },
          );
        }, SAME_KEYSTROKE_MS);
      };
    },
    standAside() {
      for (const name of SIGNALS) process.off(name, onSignal);
      setImmediate(listen);
    },
    workIsDone() {
      isDone = true;
      clearTimeout(notice);
    },
    sayWhy(log) {
      if (first !== undefined) log.info("Stopped by {signal}.", { signal: first.name });
    },
    async mayEnd() {
      // tsx takes a program for hung that ends before it could be told of the same Ctrl-C again.
      await delay(Math.max(0, SAME_KEYSTROKE_MS - msSinceFirst()));
    },
  };
}
