import type { Logger } from "@logtape/logtape";
import type { Customer } from "../database/loadCustomers.ts";
import type { Result, Unwritten } from "../database/recordResults.ts";
import { sleep } from "./sleep.ts";
import type { Explanation, Secrets } from "./wanted.ts";

/** What became of a customer, and what the database could quote when it does not take that. */
export interface CustomersResult extends Result, Pick<Customer, "systemUserToken"> {}

/** Gathers results and writes them together. */
export interface ResultWriter {
  add(result: CustomersResult): void;
  /** Writes what there is, but for rows that another session holds. */
  write(): Promise<void>;
  /** Writes what is left, and waits for such rows a little; gives whether all could be written so far. */
  flush(): Promise<boolean>;
}

/** Where a writer speaks. */
export interface WriterSurroundings {
  explain: (error: unknown) => Explanation;
  /** Hides the customers' own secrets while their rows are written. */
  secrets: Secrets;
  log: Logger;
}

const BATCH_ROWS = 1000;
const LINGER_MS = 5000;
/** Another console writes the same rows, too: they are locked for a moment now and then. */
const TOLD_TIMES = 3;
/** How long the last tries wait for rows that another session holds. */
const LAST_WAITS_MS = [250, 750, 1500];

/**
 * Gathers results into batches of up to 1,000, each written five seconds after its first result at the latest. Rows that
 * another session holds are tried again every five seconds, and that is said when they are the third time. What could not be
 * written for another reason is said and lost: the next poll makes new results.
 *
 * @param write writes one batch, and gives what could not be written
 */
export function createResultWriter(
  write: (results: CustomersResult[]) => Promise<Unwritten<CustomersResult>>,
  { explain, secrets, log }: WriterSurroundings,
): ResultWriter {
  const waiting = new Map<string, CustomersResult>();
  const locked = new Map<string, CustomersResult>();
  /** How often in a row they were. */
  const timesLocked = new Map<string, number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> | undefined;
  let allWritten = true;

  async function writeBatch(): Promise<void> {
    const batch = [...waiting.values()].slice(0, BATCH_ROWS);
    for (const { id, systemUserToken } of batch) {
      waiting.delete(id);
      secrets.add(systemUserToken);
    }
    try {
      keep(batch, await write(batch));
    } catch (error) {
      allWritten = false;
      log.error("The results could not be written: {problem}. {remedy} [{code}]", {
        ...explain(error),
      });
    }
    for (const { systemUserToken } of batch) secrets.delete(systemUserToken);
  }

  /** Keeps those that can be tried again, and says what is wrong with the others. */
  function keep(batch: CustomersResult[], unwritten: Unwritten<CustomersResult>): void {
    for (const { result: { contextIdentifier }, error } of unwritten.refused) {
      allWritten = false;
      log.with({ customer: contextIdentifier }).error(
        "The result of {customer} could not be written: {problem}. {remedy} [{code}]",
        { ...explain(error) },
      );
    }
    const stillLocked = new Set(unwritten.locked);
    for (const result of batch) {
      const { id, contextIdentifier } = result;
      if (!stillLocked.has(result)) {
        timesLocked.delete(id);
        continue;
      }
      // A later result is the one that counts.
      const later = waiting.get(id);
      if (later === undefined) locked.set(id, result);
      else waiting.set(id, together(later, result));
      const times = (timesLocked.get(id) ?? 0) + 1;
      timesLocked.set(id, times);
      if (times === TOLD_TIMES) sayLocked(contextIdentifier);
    }
  }

  function sayLocked(customer: string): void {
    log.with({ customer }).warn(
      "The result of {customer} is not written yet, since another session has locked its row; it is tried again. " +
        "See whether a transaction was left open (pg_stat_activity).",
    );
  }

  /** Writes one batch; what comes meanwhile gathers, one result a customer, however slow the database is. */
  function start(): void {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.size === 0) return;
    writing ??= writeBatch().finally(() => {
      writing = undefined;
      startWhenDue();
    });
  }

  function startWithLocked(): void {
    for (const [id, result] of locked) waiting.set(id, result);
    locked.clear();
    start();
  }

  function startWhenDue(): void {
    if (waiting.size >= BATCH_ROWS) start();
    else if (waiting.size + locked.size > 0) timer ??= setTimeout(startWithLocked, LINGER_MS);
  }

  async function writeAll(): Promise<void> {
    startWithLocked();
    while (writing !== undefined || waiting.size > 0) {
      start();
      await writing;
    }
  }

  return {
    add(result) {
      const earlier = waiting.get(result.id) ?? locked.get(result.id);
      locked.delete(result.id);
      waiting.set(result.id, together(result, earlier));
      startWhenDue();
    },
    write: writeAll,
    async flush() {
      await writeAll();
      for (const waitMs of LAST_WAITS_MS) {
        if (locked.size === 0) break;
        await sleep(waitMs);
        await writeAll();
      }
      clearTimeout(timer);
      timer = undefined;
      return allWritten && locked.size === 0;
    },
  };
}

/** A failure does not undo an earlier success that waits to be written: that it waits is chance. */
function together(result: CustomersResult, earlier: CustomersResult | undefined): CustomersResult {
  const isSame = earlier?.contextIdentifier === result.contextIdentifier &&
    earlier.systemUserToken === result.systemUserToken;
  if (!isSame) return result;
  const { syncedAt, worked } = earlier;
  return { ...result, syncedAt: result.syncedAt ?? syncedAt, worked: result.worked ?? worked };
}
