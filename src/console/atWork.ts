// Whose work script it is that runs: known in all that a script starts, also after it ended.
import { AsyncLocalStorage } from "node:async_hooks";
import process from "node:process";
import { setImmediate as turn } from "node:timers/promises";

/** One customer's work. */
export interface AtWork {
  contextIdentifier: string;
  /** Takes what failed in something that nobody waits for. */
  fail(error: unknown): void;
}

const whose = new AsyncLocalStorage<AtWork | undefined>();

/** Runs a work script; whatever it starts belongs to it. */
export function runAtWork<T>(atWork: AtWork, run: () => T): T {
  noteHolder(atWork.contextIdentifier);
  return whose.run(atWork, run);
}

/** Does what is the console's own, although a script asked for it. */
export function leaveWork<T>(run: () => T): T {
  return whose.run(undefined, run);
}

/** Whose work it is that runs just now; also where an error arrives that nobody caught. */
export function whoIsAtWork(): AtWork | undefined {
  return whose.getStore();
}

/**
 * Which customer's script was given control in this turn of the event loop, for a thread that looks on when the loop stands
 * still: how many letters, and the letters. None when it was nobody's turn.
 */
export const holder = new Uint16Array(new SharedArrayBuffer(2 * 65));

/** Gives control back to a script, in a turn of the event loop that is no other customer's. */
export async function handBack(contextIdentifier: string): Promise<void> {
  await turn();
  noteHolder(contextIdentifier);
}

/** Their name, also where it runs in something whose beginning is not known; undefined when it is nobody's turn. */
export function nameOfHolder(): string | undefined {
  return String.fromCharCode(...holder.subarray(1, holder[0]! + 1)) || undefined;
}

let noted = 0;

function noteHolder(contextIdentifier: string): void {
  const note = ++noted;
  const letters = contextIdentifier.slice(0, holder.length - 1);
  for (let at = 0; at < letters.length; at++) holder[at + 1] = letters.charCodeAt(at);
  holder[0] = letters.length;
  setImmediate(() => {
    if (noted === note) holder[0] = 0;
  });
}

/**
 * On Deno what a timer's callback throws arrives where nobody can tell whose it is. This has it arrive while that is known; to
 * be called before a script is loaded.
 */
export function catchTimerErrors(): void {
  if (!("Deno" in globalThis)) return;
  type Timer = (callback: (...args: unknown[]) => unknown, ...more: unknown[]) => unknown;
  const timers = globalThis as unknown as Record<string, Timer>;
  for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"]) {
    const plain = timers[name]!;
    const caught: Timer = (callback, ...more) => {
      const atWork = whose.getStore();
      if (atWork === undefined || typeof callback !== "function") return plain(callback, ...more);
      return plain((...args) => {
        noteHolder(atWork.contextIdentifier);
        try {
          return callback(...args);
        } catch (error) {
          if (!process.emit("uncaughtException", error as Error)) throw error;
        }
      }, ...more);
    };
    timers[name] = Object.assign(caught, plain);
  }
}
