import type { Logger } from "@logtape/logtape";
import type { DatabaseError } from "../../database/connection.ts";
import type { CallCounter } from "./callCounter.ts";
import type { Explanation } from "../wanted.ts";

/** Writes how many calls were made. */
export interface CallWriter {
  /** Writes what is left, and nothing more after that. */
  flush(): Promise<void>;
}

const BATCH_ROWS = 1000;
const EVERY_MS = 5 * 60 * 1000;

/**
 * Writes how many calls were made, every five minutes, in batches of up to 1,000 customers. What could not be written is kept,
 * one number a customer; where the table does not take it, it is not. Trouble is said once, until it is over.
 *
 * @param write writes one batch; gives why the table does not take it
 */
export function createCallWriter(
  { unwritten }: Pick<CallCounter, "unwritten">,
  write: (
    calls: [contextIdentifier: string, count: number][],
  ) => Promise<DatabaseError | undefined>,
  { explain, log }: { explain: (error: unknown) => Explanation; log: Logger },
): CallWriter {
  let writing: Promise<void> | undefined;
  let isTold = false;
  const timer = setInterval(start, EVERY_MS);

  async function writeAll(): Promise<void> {
    const counts = [...unwritten];
    unwritten.clear();
    while (counts.length > 0) {
      try {
        const fault = await write(counts.slice(0, BATCH_ROWS));
        if (fault !== undefined) {
          return tell("The calls made are not kept, so that customers list does not show", fault);
        }
      } catch (error) {
        for (const [contextIdentifier, count] of counts) {
          unwritten.set(contextIdentifier, (unwritten.get(contextIdentifier) ?? 0) + count);
        }
        return tell("The calls made could not be written yet, so that customers list lacks", error);
      }
      counts.splice(0, BATCH_ROWS);
    }
    isTold = false;
  }

  function tell(what: string, error: unknown): void {
    if (!isTold) log.warn(`${what} them: {problem}. {remedy} [{code}]`, { ...explain(error) });
    isTold = true;
  }

  function start(): Promise<void> {
    return writing ??= writeAll().finally(() => writing = undefined);
  }

  return {
    async flush() {
      clearInterval(timer);
      await writing;
      await start();
    },
  };
}
