// What the doctor asks of the table. Reads only.
import { type Database, DatabaseError, explainDatabaseError, runQuery } from "./connection.ts";

/** The columns that the console uses, with what adds one that is missing. */
const COLUMNS = {
  id: "bigint generated always as identity",
  context_identifier: "text",
  system_user_token: "text",
  is_active: "boolean not null default true",
  last_sync: "timestamptz",
  last_error: "text",
};
const WRITTEN_COLUMNS = ["last_sync", "last_error"];

/** A customer's row, as far as the doctor needs it. */
export interface CustomerRow {
  contextIdentifier: string;
  /** A secret. */
  systemUserToken: string;
  isActive: boolean;
}

interface Column {
  name: string;
  isView: boolean;
  isWritable: boolean;
}

/** What was found in place of the table. */
export interface InspectedTable {
  kind: "table" | "view";
  /** What is wrong with it, though its rows can be read. */
  fault: DatabaseError | undefined;
}

/**
 * Checks that the database can be reached, that its table or view `customers` has every column, and that the console
 * may write the two that it writes. Throws {@link DatabaseError} when its rows cannot be read.
 */
export async function inspectTable(database: Database): Promise<InspectedTable> {
  const query = database<Column[]>`
    select attname as name, relkind in ('v', 'm') as "isView",
      has_column_privilege(pg_class.oid, attnum, 'update')
        and pg_column_is_updatable(pg_class.oid, attnum, true) as "isWritable"
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where attrelid = to_regclass('customers') and attnum > 0 and not attisdropped`;
  const columns = await runQuery(query, database);
  if (columns.length === 0) throw explainDatabaseError({ code: "42P01", message: "" }, database);
  const kind = columns[0]?.isView ? "view" : "table";
  const missing = Object.keys(COLUMNS).filter((name) =>
    !columns.some((column) => column.name === name)
  );
  if (missing.length > 0) {
    const fault = faultOfMissing(missing as (keyof typeof COLUMNS)[], kind, database);
    if (missing.every((name) => WRITTEN_COLUMNS.includes(name))) return { kind, fault };
    throw fault;
  }
  const readOnly = columns.filter(({ name, isWritable }) =>
    WRITTEN_COLUMNS.includes(name) && !isWritable
  );
  if (readOnly.length === 0) return { kind, fault: undefined };
  const names = readOnly.map(({ name }) => name).join(" and ");
  const fault = new DatabaseError(
    `The console may not write ${names} of the ${kind} «customers»`,
    `Grant it: grant select, update on customers to "${database.options.user}"` +
      (kind === "view" ? "; or make the view one that can be updated." : ""),
  );
  return { kind, fault };
}

function faultOfMissing(
  missing: (keyof typeof COLUMNS)[],
  kind: string,
  database: Database,
): DatabaseError {
  const lacks = { code: "42703", message: `it lacks ${missing.join(", ")}` };
  const { message, remedy } = explainDatabaseError(lacks, database);
  const additions = missing.map((name) => `add column ${name} ${COLUMNS[name]}`).join(", ");
  const statement = kind === "table" ? `\nalter table customers ${additions};` : "";
  return new DatabaseError(message, remedy + statement);
}

/**
 * Finds the customer to check: the one named, without regard to case, else the first active one, else the first of all.
 * Throws {@link DatabaseError}, also when there is none.
 */
export async function findRow(
  contextIdentifier: string | undefined,
  database: Database,
): Promise<CustomerRow> {
  const condition = contextIdentifier === undefined
    ? database`true`
    : database`lower(context_identifier) = lower(${contextIdentifier})`;
  const query = database<CustomerRow[]>`
    select context_identifier as "contextIdentifier", coalesce(system_user_token, '') as "systemUserToken",
      is_active as "isActive"
    from customers
    where ${condition}
    order by is_active desc, id
    limit 1`;
  const [row] = await runQuery(query, database);
  if (row !== undefined) return row;
  throw new DatabaseError(
    contextIdentifier === undefined
      ? "The table «customers» holds no customer"
      : `The table «customers» holds no row for ${contextIdentifier}`,
    "Have a customer's administrator approve the application: npm run customers -- approve (or store a system user token that " +
      "you have: npm run customers -- add Cust12345 --token-stdin).",
  );
}
