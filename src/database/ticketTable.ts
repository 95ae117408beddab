// The table `tickets` itself: what it has to be like, what is wrong with it, and how it is made.
import type postgres from "postgres";
import { type Database, DatabaseError, placeOf, runQuery } from "./connection.ts";

/** The table `tickets` is not there, or not as expected, or may not be used: that stays so until somebody does something. */
export class TicketTableError extends DatabaseError {}

/** The columns that the first version had, by which the table is told from another program's. */
const FIRST_COLUMNS = ["customer_id", "sealed"];

/** The others, with what they are. */
const LATER_COLUMNS: Record<string, string> = {
  written_at: "timestamptz not null default now()",
  claimed_by: "text",
  claimed_until: "timestamptz",
  refused_code: "text",
  refused_row: "text",
  refused_ms: "double precision",
  refused_until: "timestamptz",
};

const COLUMNS = [...FIRST_COLUMNS, ...Object.keys(LATER_COLUMNS)];

/** What the database says where a table or a column is not there, or a right lacks. */
const [NO_TABLE, NO_COLUMN, NO_RIGHT] = ["42P01", "42703", "42501"] as const;

const KEY = "add primary key (customer_id)";

/** The same as `runQuery`, for a statement about tickets. Throws {@link TicketTableError} where the table is at fault. */
export async function runOnTickets<T extends readonly postgres.MaybeRow[]>(
  query: postgres.PendingQuery<T>,
  database: Database,
): Promise<postgres.RowList<T>> {
  try {
    return await runQuery(query, database);
  } catch (error) {
    throw findTicketTableError((error as DatabaseError).cause, database) ?? error;
  }
}

/** What is wrong with the table, for what the server said of a statement; undefined where that speaks of something else. */
export function findTicketTableError(
  cause: unknown,
  database: Database,
): TicketTableError | undefined {
  const { code = "", message = "" } = (cause ?? {}) as { code?: string; message?: string };
  // In whatever language the server speaks, it names what it speaks of.
  const words: string[] = message.match(/\w+/g) ?? [];
  if (code === NO_TABLE && words.includes("tickets")) return noTable(database, cause);
  if (code === NO_COLUMN && ["tickets", ...COLUMNS].some((name) => words.includes(name))) {
    return notAsExpected(message, database, cause);
  }
  if (code === NO_RIGHT && words.includes("tickets")) return noRight(message, database, cause);
  return undefined;
}

const where = (database: Database) => `«${database.options.database}» at ${placeOf(database)}`;

function noTable(database: Database, cause?: unknown): TicketTableError {
  return new TicketTableError(
    `The database ${where(database)} has no table «tickets»`,
    'Create it: npm run customers -- init (or psql "$DATABASE_URL" -f fixtures/schema.sql)',
    { cause },
  );
}

function notAsExpected(what: string, database: Database, cause?: unknown): TicketTableError {
  return new TicketTableError(
    `The table «tickets» in ${where(database)} is not as expected: ${what}`,
    "Have npm run customers -- init add what is missing, or compare it with fixtures/schema.sql; where it is another " +
      "program's, move one of both to another schema (search_path).",
    { cause },
  );
}

function noRight(what: string, database: Database, cause?: unknown): TicketTableError {
  return new TicketTableError(
    `The user «${database.options.user}» may not use the table «tickets» in ${
      where(database)
    }: ${what}`,
    `Grant it: ${grantTo(database)}`,
    { cause },
  );
}

function grantTo({ options: { user } }: Database): string {
  return `grant select, insert, update, delete on tickets to "${user}"`;
}

interface Look {
  columns: string[];
  hasKey: boolean;
  /** Whether each row has to hold a ticket, as in an older form of the table: a refusal has none, nor has a claim. */
  needsTicket: boolean;
  /** The rights that the user lacks. */
  lacking: string[];
}

/** Undefined where there is no table. */
async function look(database: Database): Promise<Look | undefined> {
  const query = database<Look[]>`
    select
      (select coalesce(json_agg(attname), '[]') from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped) as columns,
      relkind not in ('r', 'p') or exists (
        select from pg_index join pg_attribute on attrelid = indrelid and attnum = indkey[0]
        where indrelid = pg_class.oid and indisunique and indpred is null and indnkeyatts = 1
          and attname = 'customer_id') as "hasKey",
      exists (
        select from pg_attribute where attrelid = pg_class.oid and attname = 'sealed' and attnotnull
      ) as "needsTicket",
      (select coalesce(json_agg("right" order by place), '[]')
        from unnest(string_to_array('select,insert,update,delete', ','))
          with ordinality as needed ("right", place)
        where not has_table_privilege(pg_class.oid, "right") and ("right" = 'delete' or exists (
          select from pg_attribute where attrelid = pg_class.oid and attnum > 0 and not attisdropped
            and not has_column_privilege(pg_class.oid, attnum, "right")))) as lacking
    from pg_class where oid = to_regclass('tickets')`;
  return (await runQuery(query, database))[0];
}

/** What is wrong with the table; undefined where it can be used. Throws {@link DatabaseError} when the database cannot be asked. */
export async function findTicketTableFault(
  database: Database,
): Promise<TicketTableError | undefined> {
  const found = await look(database);
  if (found === undefined) return noTable(database);
  const missing = COLUMNS.filter((name) => !found.columns.includes(name));
  if (missing.length > 0) return notAsExpected(`it lacks ${missing.join(", ")}`, database);
  if (!found.hasKey) return notAsExpected("it lacks a primary key on customer_id", database);
  if (found.needsTicket) return notAsExpected("its column sealed may not be null", database);
  if (found.lacking.length > 0) return noRight(`it may not ${found.lacking.join(", ")}`, database);
  return undefined;
}

/** What was done about the table. */
export interface AddedTickets {
  isNew: boolean;
  /** The columns that were added to the one that was there. */
  columns: string[];
}

/**
 * Makes the table where it does not exist, and adds to it what it lacks; gives what was done, or why it cannot be used. Throws
 * {@link DatabaseError} when the database cannot be asked.
 *
 * @param schema is safe to run twice
 */
export async function addTickets(
  schema: string,
  database: Database,
): Promise<AddedTickets | TicketTableError> {
  const found = await look(database);
  const lacked = Object.keys(LATER_COLUMNS).filter((name) => !found?.columns.includes(name));
  const isOurs = FIRST_COLUMNS.every((name) => found?.columns.includes(name));
  const columns = isOurs ? lacked : [];
  const additions = columns.map((name) =>
    `add column if not exists ${name} ${LATER_COLUMNS[name]}`
  );
  if (isOurs && found?.hasKey === false) additions.push(KEY);
  if (isOurs && found?.needsTicket) additions.push("alter column sealed drop not null");
  const addition = `alter table tickets ${additions.join(", ")}`;
  try {
    if (found === undefined) await runQuery(database.unsafe(schema), database);
    else if (additions.length > 0) await runQuery(database.unsafe(addition), database);
  } catch (error) {
    const { cause } = error as DatabaseError;
    const { code, message } = cause as { code?: string; message: string };
    if (code !== NO_RIGHT) throw error;
    const statement = found === undefined
      ? 'psql "$DATABASE_URL" -f fixtures/schema.sql'
      : addition;
    return new TicketTableError(
      `The table tickets could not be ${found === undefined ? "made" : "completed"}: ${message}`,
      `Have somebody who may do so run: ${statement}, and: ${grantTo(database)}`,
      { cause },
    );
  }
  return await findTicketTableFault(database) ?? { isNew: found === undefined, columns };
}
