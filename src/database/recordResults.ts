import { type Database, runQuery } from "./connection.ts";

/** What became of one customer. */
export interface Result {
  id: string;
  /** When it was logged on to; null leaves `last_sync` as it is. */
  syncedAt: Date | null;
  /** Why it was not, for `last_error`; null clears it. */
  error: string | null;
}

/**
 * Writes `last_sync` and `last_error` of many customers in one statement.
 * Throws `DatabaseError`.
 */
export async function recordResults(results: Result[], database: Database): Promise<void> {
  const rows = results.map(({ id, syncedAt, error }) => ({
    id,
    synced_at: syncedAt?.toISOString() ?? null,
    // Postgres takes neither a zero byte nor half of a letter, and would refuse the others' results with it.
    error: error?.replace(/[\0\ud800-\udfff]/gu, "\ufffd") ?? null,
  }));
  const statement = database`
    update customers
    set last_sync = coalesce(result.synced_at, customers.last_sync), last_error = result.error
    from jsonb_to_recordset(${database.json(rows)})
      as result(id bigint, synced_at timestamptz, error text)
    where customers.id = result.id`;
  await runQuery(statement, database);
}

/** Gathers results and writes them together. */
export interface ResultWriter {
  add(result: Result): void;
  /** Writes what is left; gives whether all could be written so far. */
  flush(): Promise<boolean>;
}

const BATCH_ROWS = 1000;
const LINGER_MS = 5000;

/**
 * Gathers results into batches of up to 1,000, each written five seconds after its first result at the latest.
 *
 * @param write writes one batch
 * @param onError is told when a batch could not be written; the results are then lost, the next poll makes new ones
 */
export function createResultWriter(
  write: (results: Result[]) => Promise<void>,
  onError: (error: unknown) => void,
): ResultWriter {
  const waiting = new Map<string, Result>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> | undefined;
  let allWritten = true;

  async function writeBatch(): Promise<void> {
    const batch = [...waiting.values()].slice(0, BATCH_ROWS);
    for (const { id } of batch) waiting.delete(id);
    await write(batch).catch((error) => {
      allWritten = false;
      onError(error);
    });
  }

  /** Writes one batch; what comes meanwhile gathers, one result a customer, however slow the database is. */
  function start(): void {
    clearTimeout(timer);
    timer = undefined;
    writing ??= writeBatch().finally(() => {
      writing = undefined;
      startWhenDue();
    });
  }

  function startWhenDue(): void {
    if (waiting.size >= BATCH_ROWS) start();
    else if (waiting.size > 0) timer ??= setTimeout(start, LINGER_MS);
  }

  return {
    add(result) {
      waiting.set(result.id, result);
      startWhenDue();
    },
    async flush() {
      while (writing !== undefined || waiting.size > 0) {
        start();
        await writing;
      }
      return allWritten;
    },
  };
}
