// Says so where a work script, or what it brings along, ends the process: its log would end without a word.
import process from "node:process";
import { whoIsAtWork } from "../console/atWork.ts";
import { placeOf } from "../console/workFailure.ts";
import { endsItself, EXIT_FAILED, exitNow } from "./exit.ts";
import { printNow } from "./output.ts";
import { printable } from "./printable.ts";

/** How they stand in an error's stack. None does when the process ends since there is nothing more to do. */
const CALLS = { "process.exit": / process\.exit \(/, "Deno.exit": / Object\.exit \(ext:/ };

/**
 * From now on, whoever ends the process in the program's place is named on the standard error, after what was logged.
 *
 * @param fileName the work script's file
 */
export function tellForeignExit(fileName: string): void {
  function tell(): void {
    if (endsItself()) return;
    // Deno's own part of the stack alone takes most of the ten that are usual.
    Error.stackTraceLimit = 100;
    const error = new Error();
    const call = Object.entries(CALLS).find(([, how]) => how.test(String(error.stack)))?.[0];
    if (call === undefined) return;
    const place = placeOf(error, fileName);
    const where = place === undefined ? "" : ` at ${place}`;
    const during = whoIsAtWork()?.contextIdentifier;
    const whose = during === undefined ? "" : `${during}: `;
    const line =
      `${whose}Code that this program was given to run called ${call}${where}, which ended the program, other customers' ` +
      "work included. Have it return instead, or throw what failed.";
    printNow();
    process.stderr.write(`${printable(line)}\n`);
    // It may have said that all is well.
    const { exitCode } = (globalThis as { Deno?: { exitCode: unknown } }).Deno ?? process;
    exitNow(Number(exitCode) || EXIT_FAILED);
  }
  // Deno.exit is heard of in this way alone.
  if ("Deno" in globalThis) globalThis.addEventListener("unload", tell);
  else process.on("exit", tell);
}
