import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { exitNow } from "../program/exit.ts";
import { inThisRuntime } from "../program/explain.ts";
import { isSameKeystroke, type Keystroke, SAME_KEYSTROKE_MS } from "../program/keystroke.ts";

/** How the waiting is ended from outside. */
export interface Interrupt {
  /** Aborted by the first Ctrl-C or SIGTERM, of which a second one ends the process, or when nobody reads the output any more. */
  signal: AbortSignal;
  /** A Ctrl-C that came as a key, where the terminal does not make a signal of it. */
  press(): void;
  /** Resolves when the process may end: one Ctrl-C can arrive several times. */
  mayEnd(): Promise<void>;
}

/** Listens to the signals that end the waiting. */
export function createInterrupt(): Interrupt {
  const stop = new AbortController();
  let first: Keystroke | undefined;
  function take(name: NodeJS.Signals): void {
    const signal = { name, at: performance.now() };
    if (first === undefined) {
      first = signal;
      stop.abort();
    } else if (!isSameKeystroke(first, signal)) {
      process.stderr.write(
        inThisRuntime("Ended at once: npm run customers -- list shows what is stored.\n"),
      );
      exitNow(name === "SIGINT" ? 130 : 143);
    }
  }
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, take);
  // Where nobody reads any more what is said, what was begun is still brought to its end.
  process.stdout.on("error", () => stop.abort());
  process.stderr.on("error", () => {});
  return {
    signal: stop.signal,
    press: () => take("SIGINT"),
    async mayEnd() {
      if (first === undefined) return;
      await delay(Math.max(0, first.at + SAME_KEYSTROKE_MS - performance.now()));
    },
  };
}

/** Resolves with the first Ctrl-C or SIGTERM. */
export function interrupted({ signal }: Interrupt): Promise<"stopped"> {
  return new Promise((resolve) => {
    const stopped = () => resolve("stopped");
    if (signal.aborted) stopped();
    else signal.addEventListener("abort", stopped, { once: true });
  });
}
