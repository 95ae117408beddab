// The column last_work, which a table may lack: when the work script last began for a customer and ended well.
import { type Database, DatabaseError, placeOf, runQuery } from "./connection.ts";

interface Column {
  isView: boolean;
  /** Null where there is no such column. */
  type: string | null;
  isReadable: boolean;
  isWritable: boolean;
}

const ADDITION = "alter table customers add column if not exists last_work timestamptz";

/** Undefined where there is no table. Throws `DatabaseError`. */
async function findColumn(database: Database): Promise<Column | undefined> {
  const query = database<Column[]>`
    select relkind in ('v', 'm') as "isView", format_type(atttypid, null) as type,
      coalesce(has_column_privilege(pg_class.oid, attnum, 'select'), false) as "isReadable",
      coalesce(
        has_column_privilege(pg_class.oid, attnum, 'update')
          and pg_column_is_updatable(pg_class.oid, attnum, true),
        false
      ) as "isWritable"
    from pg_class
    left join pg_attribute on attrelid = pg_class.oid and attname = 'last_work' and not attisdropped
    where pg_class.oid = to_regclass('customers')`;
  return (await runQuery(query, database))[0];
}

/** Whether the column can be read. Throws `DatabaseError`. */
export async function canReadLastWork(database: Database): Promise<boolean> {
  return (await findColumn(database))?.isReadable ?? false;
}

/**
 * Why the console cannot keep `last_work`, and what to do; undefined where it can, and where there is no table, which the next
 * query says. Throws {@link DatabaseError} when the database cannot be asked.
 */
export async function findLastWorkFault(database: Database): Promise<DatabaseError | undefined> {
  const column = await findColumn(database);
  if (column === undefined) return undefined;
  const { isView, type, isReadable, isWritable } = column;
  const { user, database: name } = database.options;
  const where = `the ${isView ? "view" : "table"} «customers» in «${name}» at ${placeOf(database)}`;
  if (type === null) {
    return new DatabaseError(
      `There is no column last_work in ${where}`,
      isView
        ? "Add it (timestamptz) to the view, and to the table that the view shows."
        : `Add it: npm run customers -- init (or: ${ADDITION})`,
    );
  }
  if (type !== "timestamp with time zone") {
    return new DatabaseError(
      `The column last_work in ${where} is of the type ${type}`,
      "Make it a timestamptz: it holds a moment.",
    );
  }
  if (isReadable && isWritable) return undefined;
  return new DatabaseError(
    `The user «${user}» may not read and write the column last_work in ${where}`,
    `Grant it: grant select (last_work), update (last_work) on customers to "${user}"` +
      (isView ? "; or make the view one that can be updated." : ""),
  );
}

/**
 * Adds the column to a table that lacks it; gives whether it did, or why it could not. A view is left alone. Throws
 * {@link DatabaseError} when the database cannot be asked.
 */
export async function addLastWork(database: Database): Promise<boolean | DatabaseError> {
  const column = await findColumn(database);
  if (column === undefined || column.type !== null) return false;
  if (column.isView) return (await findLastWorkFault(database)) ?? false;
  try {
    await runQuery(database.unsafe(ADDITION), database);
    return true;
  } catch (error) {
    const { cause } = error as DatabaseError;
    const { code, message } = cause as { code?: string; message: string };
    if (code !== NOT_THE_OWNER) throw error;
    return new DatabaseError(
      `The column last_work could not be added: ${message}`,
      `Have the table's owner run: ${ADDITION}`,
      { cause },
    );
  }
}

const NOT_THE_OWNER = "42501";
