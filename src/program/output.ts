import process from "node:process";
import { write } from "./exit.ts";

let unwritten = "";
let lostLines = 0;
let tell = (_lines: number): void => {};

/** Not 0 while it is written: on Deno that waits for the reader, and nothing else goes on. For a thread that looks on. */
export const isPrinting = new Int32Array(new SharedArrayBuffer(4));

/** A reader that does not read must not cost memory without end: what it misses is in the log file. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024;

/** Has it told how many lines were lost, when somebody reads again. */
export function tellLost(say: (lines: number) => void): void {
  tell = say;
}

let gathers = true;

/** Gathers what is printed until the event loop turns, since each write is a call to the system. */
export function printSoon(text: string): void {
  if (gathers && unwritten === "") setImmediate(printNow);
  unwritten += text;
  if (!gathers) printNow();
}

/** From now on nothing is gathered, for where the event loop may not turn. */
export function gatherNoMore(): void {
  gathers = false;
}

/** Writes what was gathered. */
export function printNow(): void {
  const text = unwritten;
  unwritten = "";
  if (process.stdout.writableLength > MOST_UNREAD_BYTES) lostLines += text.split("\n").length - 1;
  else {
    Atomics.store(isPrinting, 0, 1);
    process.stdout.write(text);
    Atomics.store(isPrinting, 0, 0);
    if (lostLines > 0) tell(lostLines);
    lostLines = 0;
  }
}

/** Writes to the standard output, after what was gathered; resolves when it is out. */
export async function print(text: string): Promise<void> {
  printNow();
  await write(process.stdout, text);
}
