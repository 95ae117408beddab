import process from "node:process";
import { write } from "./exit.ts";

let unwritten = "";

/** Gathers what is printed until the event loop turns, since each write is a call to the system. */
export function printSoon(text: string): void {
  if (unwritten === "") setImmediate(printNow);
  unwritten += text;
}

/** Writes what was gathered. */
export function printNow(): void {
  process.stdout.write(unwritten);
  unwritten = "";
}

/** Writes to the standard output, after what was gathered; resolves when it is out. */
export async function print(text: string): Promise<void> {
  printNow();
  await write(process.stdout, text);
}
