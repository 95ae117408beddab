import type postgres from "postgres";
import { type Database, type DatabaseError, runQuery } from "./connection.ts";

/** A run of the work script that ended well. */
export interface Worked {
  /** By the database's clock. */
  beganAt: Date;
  /** Whether it went on from an earlier run. Where that was taken back meanwhile, the next is to begin afresh. */
  resumed: boolean;
}

/** What became of one customer. */
export interface Result {
  id: string;
  /** The tenant, for example `Cust12345`. */
  contextIdentifier: string;
  /** When it was logged on to, by the database's clock; null leaves `last_sync` as it is. */
  syncedAt: Date | null;
  /** Null where none did, or `last_work` is not kept: it stays as it is. */
  worked: Worked | null;
  /** Why it was not, for `last_error`; null clears it. */
  error: string | null;
}

/** What could not be written, while all else was. */
export interface Unwritten<R extends Result = Result> {
  /** Another session holds their rows. */
  locked: R[];
  /** The database does not take them: a trigger or a constraint of somebody's. */
  refused: { result: R; error: DatabaseError }[];
}

/**
 * Writes `last_sync`, `last_work` and `last_error` of many customers in one statement. A row that another session holds is left out; when
 * the database refuses one, they are divided until that one alone is left out. Throws {@link DatabaseError} when the reason is
 * none of a row, or it refuses one after the other, so that nothing can be written.
 */
export async function recordResults<R extends Result>(
  results: R[],
  database: Database,
): Promise<Unwritten<R>> {
  const unwritten: Unwritten<R> = { locked: [], refused: [] };
  let isAnyWritten = false;

  async function write(some: R[]): Promise<void> {
    try {
      const locked = await writeResults(some, database);
      unwritten.locked.push(...some.filter(({ id }) => locked.has(id)));
      isAnyWritten = true;
    } catch (error) {
      const isHopeless = !isAnyWritten && unwritten.refused.length >= MOST_REFUSED;
      if (isHopeless || !isRefusal((error as DatabaseError).cause)) throw error;
      const [result] = some;
      if (result !== undefined && some.length === 1) {
        unwritten.refused.push({ result, error: error as DatabaseError });
        return;
      }
      const middle = Math.ceil(some.length / 2);
      await write(some.slice(0, middle));
      await write(some.slice(middle));
    }
  }

  await write(results);
  return unwritten;
}

/** When so many were refused, and none was written, the others will not be either. */
const MOST_REFUSED = 100;

/** Gives the ids of the rows that another session holds. */
async function writeResults(results: Result[], database: Database): Promise<Set<string>> {
  // Without a run there may be no such column.
  const isAnyWorked = results.some(({ worked }) => worked !== null);
  const rows = results.map(({ id, syncedAt, worked, error }) => ({
    id,
    synced_at: syncedAt?.toISOString() ?? null,
    // Postgres takes neither a zero byte nor half of a letter.
    error: error?.replace(/[\0\ud800-\udfff]/gu, "\ufffd") ?? null,
    ...(worked && { worked_at: worked.beganAt.toISOString(), resumed: worked.resumed }),
  }));
  const workColumns = isAnyWorked ? database`, worked_at timestamptz, resumed boolean` : database``;
  const workChange = isAnyWorked
    ? database`, last_work = case
        when result.resumed and customers.last_work is null then null
        else coalesce(result.worked_at, customers.last_work)
      end`
    : database``;
  const recordset = database`
    jsonb_to_recordset(${
    database.json(rows)
  }) as result(id bigint, synced_at timestamptz, error text${workColumns})`;
  const changes = (results: postgres.PendingQuery<postgres.Row[]>) =>
    database`
    set last_sync = coalesce(result.synced_at, customers.last_sync), last_error = result.error${workChange}
    from ${results}
    where customers.id = result.id`;
  const statement = database<{ id: string }[]>`
    with result as materialized (select * from ${recordset}), free as (
      select id from customers where id in (select id from result) for no key update skip locked
    ), written as (
      update customers ${changes(database`result`)} and customers.id in (select id from free)
      returning customers.id
    )
    select id from result
    where id in (select id from customers) and id not in (select id from free)`;
  try {
    return new Set((await runQuery(statement, database)).map(({ id }) => id));
  } catch (error) {
    const { cause } = error as DatabaseError;
    if (sqlStateOf(cause) !== CANNOT_BE_LOCKED || isRefusal(cause)) throw error;
    // A view whose rows are made of several, or one with rules.
    await runQuery(database`update customers ${changes(recordset)}`, database);
    return new Set();
  }
}

/** For example a view that groups rows. */
const CANNOT_BE_LOCKED = "0A000";

/** Classes of SQLSTATE whose reason is the connection, the server, the statement or its rights, and no row. */
const NO_ROW_AT_FAULT = [
  "08",
  "0A",
  "25",
  "28",
  "3D",
  "3F",
  "40",
  "42",
  "53",
  "55",
  "57",
  "58",
  "XX",
];

/** Timeouts and conflicts, which one row can bring about. */
const ONE_ROWS = ["57014", "55P03", "40001", "40P01"];

/** Whether the database does not take a row: a constraint, a trigger's own error whatever its code, a row's policy. */
function isRefusal(cause: unknown): boolean {
  const sqlState = sqlStateOf(cause);
  if (sqlState === undefined) return false;
  const { routine, where = "" } = cause as postgres.PostgresError;
  return !NO_ROW_AT_FAULT.includes(sqlState.slice(0, 2)) || ONE_ROWS.includes(sqlState) ||
    routine === "ExecWithCheckOptions" || /\bPL\/|\bfunction\b/.test(where);
}

/** Undefined for what did not come from the server. */
function sqlStateOf(cause: unknown): string | undefined {
  const { code } = cause as { code?: string };
  return /^[\dA-Z]{5}$/.test(code ?? "") ? code : undefined;
}
