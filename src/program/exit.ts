// How the three commands end.
import process from "node:process";
import { explain } from "./explain.ts";
import type { Redact } from "./redact.ts";

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_WRONG_SETTINGS = 2;

/** The codes of what is mended before the next start. */
const OF_SETTINGS = ["SETTINGS_WRONG", "USAGE_WRONG", "PG_BOSS_MISSING", "LISTEN_FAILED"];

/** Runs a command, and gives its exit code; what it throws is said on the standard error. */
export async function exitCodeOf(
  command: () => Promise<number>,
  redact: Redact,
): Promise<number> {
  try {
    return await command();
  } catch (error) {
    const { problem, remedy, code } = explain(error);
    const isOfSettings = OF_SETTINGS.includes(code);
    const named = isOfSettings ? "" : ` [${code}]`;
    await write(process.stderr, redact.lines(`${problem}\n${remedy}${named}\n`));
    return isOfSettings ? EXIT_WRONG_SETTINGS : EXIT_FAILED;
  }
}

/** Ends the process when whoever read the output is gone, as with `| head`. */
export function endWhenNobodyReads(exitCode: number, before = () => Promise.resolve()): void {
  process.stdout.on("error", () => void before().finally(() => exitNow(exitCode)));
}

let isOwnExit = false;

/** Ends the process here and now. */
export function exitNow(exitCode: number): never {
  isOwnExit = true;
  process.exit(exitCode);
}

/** Whether it is the program itself that ends, and not other code in it that ends the process. */
export function endsItself(): boolean {
  return isOwnExit;
}

/** Writes to a stream; resolves when it is out. */
export function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve) => stream.write(text, () => resolve()));
}
