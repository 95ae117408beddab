// Notices when a work script keeps the event loop from going on, which stops everything else, signals included.
import inspector from "node:inspector";
import { Worker } from "node:worker_threads";
import type { Logger } from "@logtape/logtape";
import { holder, nameOfHolder, whoIsAtWork } from "../console/atWork.ts";
import { WorkBlocksError } from "../console/errors.ts";
import { placeOf } from "../console/workFailure.ts";
import { explain } from "./explain.ts";
import { gatherNoMore, isPrinting } from "./output.ts";

const BLOCKED_MS = 2000;
const BEAT_MS = 100;
const UNKNOWN = "Whose it is cannot be told";
const SAY_BLOCKED = "system-user-service-console.sayBlocked";

/**
 * Starts a thread that watches, and has it said whose script stands in the way.
 *
 * @param fileName the script's file
 * @param standAside lets signals end the process by themselves, until the loop goes on
 * @param printNow writes what was logged, which else would wait for the loop, too
 */
export function startWatchdog(
  fileName: string,
  format: "text" | "json",
  log: Logger,
  standAside: () => void,
  printNow: () => void,
): void {
  // Whoever stops at a breakpoint wants just that. Deno asks for a permission for the question.
  if (!("Deno" in globalThis) && inspector.url() !== undefined) return;
  // There the main thread cannot be interrupted to write what it gathered.
  if ("Deno" in globalThis) gatherNoMore();
  const beat = new Int32Array(new SharedArrayBuffer(4));
  const isTold = new Int32Array(new SharedArrayBuffer(4));
  setInterval(() => Atomics.add(beat, 0, 1), BEAT_MS).unref();
  const explanationAt = (place: string | undefined) => {
    const where = place === undefined ? "" : ` at ${place}`;
    const seconds = BLOCKED_MS / 1000;
    return explain(
      new WorkBlocksError(
        `The work script${where} has let nothing else go on for ${seconds} s, other customers' work included`,
      ),
    );
  };
  Object.defineProperty(globalThis, Symbol.for(SAY_BLOCKED), {
    /** Called again and again, since between two callbacks neither place nor customer is to be seen. */
    value(isLastLook: boolean): void {
      standAside();
      // The thread has said it, and only what was logged is still to be written.
      if (Atomics.load(isTold, 0) !== 0) return printNow();
      const place = placeOf(new Error(), fileName);
      const atWork = whoIsAtWork()?.contextIdentifier;
      if (!isLastLook && (place === undefined || atWork === undefined)) return;
      Atomics.store(isTold, 0, 1);
      const customer = atWork ?? nameOfHolder() ?? UNKNOWN;
      const explanation = explanationAt(place);
      log.with({ customer }).warn("{customer}: {problem}. {remedy} [{code}]", { ...explanation });
      printNow();
    },
  });
  const thread = new Worker(new URL("./watchdogThread.mjs", import.meta.url), {
    workerData: {
      beat,
      isTold,
      isPrinting,
      holder,
      blockedMs: BLOCKED_MS,
      sayBlocked: SAY_BLOCKED,
      format,
      explanation: explanationAt(undefined),
      unknown: UNKNOWN,
    },
  });
  thread.on("error", (error) => {
    log.warn("Nobody watches whether the work script blocks the program: {reason}.", {
      reason: error.message,
    });
  });
  thread.unref();
}
