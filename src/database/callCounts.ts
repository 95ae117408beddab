// The table calls, which a database may lack: how many calls were made to each customer on each day (UTC).
import { type Database, DatabaseError, placeOf, runQuery } from "./connection.ts";

const KEPT_DAYS = 100;

const UNDEFINED_TABLE = "42P01";
const UNDEFINED_COLUMN = "42703";
const NO_RIGHT = "42501";

/**
 * Adds calls to those of today, by the database's clock, for up to a thousand customers in one statement; when a day begins, rows of
 * 100 days ago and before are cleared away, and those of customers that are there no more. Gives why the table does not take it, and what to do; undefined where it did.
 * Throws {@link DatabaseError} when the database cannot be asked.
 */
export async function addCalls(
  calls: [contextIdentifier: string, count: number][],
  database: Database,
): Promise<DatabaseError | undefined> {
  const counted = calls.map(([customer, count]) => ({ customer, count }));
  // In their order: another console writes the same rows.
  const addition = database<{ isNewDay: boolean }[]>`
    with written as (
      insert into calls (customer_id, day, calls)
      select customers.id, (now() at time zone 'utc')::date, sum(counted.count)
      from jsonb_to_recordset(${database.json(counted)}) as counted(customer text, count bigint)
      join customers on customers.context_identifier = counted.customer
      group by customers.id
      order by customers.id
      on conflict (customer_id, day) do update set calls = calls.calls + excluded.calls
      returning xmax = 0 as is_new
    )
    select coalesce(bool_or(is_new), false) as "isNewDay" from written`;
  try {
    const [row] = await runQuery(addition, database);
    if (row?.isNewDay) {
      const clearing = database`
        delete from calls
        where day <= (now() at time zone 'utc')::date - ${KEPT_DAYS}::int
          or not exists (select from customers where customers.id = calls.customer_id)`;
      await runQuery(clearing, database);
    }
    return undefined;
  } catch (error) {
    const fault = faultOf(error as DatabaseError, database);
    if (fault === undefined) throw error;
    return fault;
  }
}

/**
 * Forgets the calls to these customers, where that may be done: a console clears away what is left when a day begins. Throws
 * {@link DatabaseError}.
 */
export async function forgetCalls(customerIds: string[], database: Database): Promise<void> {
  const look = database`
    select from pg_class where oid = to_regclass('calls') and has_table_privilege(oid, 'delete')`;
  if (!await canReadCalls(database) || (await runQuery(look, database)).length === 0) return;
  const query = database`
    delete from calls where customer_id in (
      select id::bigint from jsonb_array_elements_text(${database.json(customerIds)}) as id)`;
  await runQuery(query, database);
}

/**
 * Makes the table where it does not exist; gives whether it did, or why it could not. Throws {@link DatabaseError} when the
 * database cannot be asked.
 *
 * @param schema is safe to run twice
 */
export async function addCallTable(
  schema: string,
  database: Database,
): Promise<boolean | DatabaseError> {
  const look = database`select from pg_class where oid = to_regclass('calls')`;
  if ((await runQuery(look, database)).length > 0) return false;
  try {
    await runQuery(database.unsafe(schema), database);
    return true;
  } catch (error) {
    const { cause } = error as DatabaseError;
    const { code, message } = cause as { code?: string; message: string };
    if (code !== NO_RIGHT) throw error;
    const { user } = database.options;
    return new DatabaseError(
      `The table calls could not be made: ${message}`,
      'Have somebody who may do so run: psql "$DATABASE_URL" -f fixtures/schema.sql, and: ' +
        `grant select, insert, update, delete on calls to "${user}"`,
      { cause },
    );
  }
}

/** Undefined for what has nothing to do with this table. */
function faultOf({ cause }: DatabaseError, database: Database): DatabaseError | undefined {
  const { code, message } = cause as { code?: string; message: string };
  const { user, database: name } = database.options;
  const where = `in «${name}» at ${placeOf(database)}`;
  if (code === UNDEFINED_TABLE && !message.includes("customers")) {
    return new DatabaseError(
      `There is no table calls ${where}`,
      'Make it: npm run customers -- init (or psql "$DATABASE_URL" -f fixtures/schema.sql)',
      { cause },
    );
  }
  if (code === UNDEFINED_COLUMN) {
    return new DatabaseError(
      `The table calls ${where} is not as expected: ${message}`,
      "Compare it with fixtures/schema.sql; where it is somebody else's, put the console's into a schema of its own (search_path).",
      { cause },
    );
  }
  if (code === NO_RIGHT && !message.includes("customers")) {
    return new DatabaseError(
      `The user «${user}» may not write the table calls ${where}`,
      `Grant it: grant select, insert, update, delete on calls to "${user}"`,
      { cause },
    );
  }
  return undefined;
}

/** Whether the table is there, and can be read. Throws `DatabaseError`. */
export async function canReadCalls(database: Database): Promise<boolean> {
  const query = database<{ columns: number }[]>`
    select count(*)::int as columns from pg_attribute
    where attrelid = to_regclass('calls') and attname in ('customer_id', 'day', 'calls')
      and not attisdropped and has_column_privilege(attrelid, attnum, 'select')`;
  return (await runQuery(query, database))[0]?.columns === 3;
}
