import { type Database, explainDatabaseError } from "./database.ts";

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
 * Throws {@link DatabaseError}.
 */
export async function recordResults(results: Result[], database: Database): Promise<void> {
  const rows = results.map(({ id, syncedAt, error }) => ({
    id,
    synced_at: syncedAt?.toISOString() ?? null,
    error,
  }));
  await database`
    update customers
    set last_sync = coalesce(result.synced_at, customers.last_sync), last_error = result.error
    from jsonb_to_recordset(${database.json(rows)})
      as result(id bigint, synced_at timestamptz, error text)
    where customers.id = result.id`.catch((cause) => {
    throw explainDatabaseError(cause, database);
  });
}

/** Gathers results and writes them together. */
export interface ResultWriter {
  add(result: Result): void;
  /** Writes what is left; resolves when all is written, or was given up. */
  flush(): Promise<void>;
}

const BATCH_ROWS = 1000;
const LINGER_MS = 1000;

/**
 * Gathers results into batches of up to 1,000, each written a second after its first result at the latest.
 *
 * @param write writes one batch
 * @param onError is told when a batch could not be written; the results are then lost, the next poll makes new ones
 */
export function createResultWriter(
  write: (results: Result[]) => Promise<void>,
  onError: (error: unknown) => void,
): ResultWriter {
  let waiting = new Map<string, Result>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> = Promise.resolve();

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting;
    waiting = new Map();
    if (batch.size > 0) writing = writing.then(() => write([...batch.values()])).catch(onError);
    return writing;
  }

  return {
    add(result) {
      waiting.set(result.id, result);
      if (waiting.size >= BATCH_ROWS) void flush();
      else timer ??= setTimeout(flush, LINGER_MS);
    },
    flush,
  };
}
