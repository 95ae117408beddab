import { type Database, explainDatabaseError } from "../database.ts";
import { DatabaseError } from "../errors.ts";
import type { Passed } from "./findings.ts";

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

/**
 * Checks that the database can be reached, that its table or view `customers` has every column, and that the console
 * may write the two that it writes. Reads only.
 *
 * Throws {@link DatabaseError}, for what is missing with its names.
 */
export async function checkDatabase(database: Database): Promise<Passed<undefined>> {
  const columns = await database<Column[]>`
    select attname as name, relkind in ('v', 'm') as "isView",
      has_column_privilege(pg_class.oid, attnum, 'update')
        and pg_column_is_updatable(pg_class.oid, attnum, true) as "isWritable"
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where attrelid = to_regclass('customers') and attnum > 0 and not attisdropped`
    .catch((cause) => {
      throw explainDatabaseError(cause, database);
    });
  if (columns.length === 0) throw explainDatabaseError({ code: "42P01", message: "" }, database);
  const kind = columns[0]?.isView ? "view" : "table";
  assertNoneMissing(columns, kind, database);
  const readOnly = columns.filter(({ name, isWritable }) =>
    WRITTEN_COLUMNS.includes(name) && !isWritable
  );
  if (readOnly.length > 0) {
    const names = readOnly.map(({ name }) => name).join(" and ");
    throw new DatabaseError(
      `The console may not write ${names} of the ${kind} «customers»`,
      `Grant it: grant select, update on customers to "${database.options.user}"` +
        (kind === "view" ? "; or make the view one that can be updated." : ""),
    );
  }
  const [count] = await database<{ active: number }[]>`
    select count(*)::int as active from customers where is_active`.catch((cause) => {
    throw explainDatabaseError(cause, database);
  });
  const { host, port, database: name } = database.options;
  return {
    value: undefined,
    text: `${host[0]}:${port[0]}/${name} has the ${kind} «customers», ` +
      `active customers: ${count?.active}`,
  };
}

/**
 * Finds the customer to check: the one named, without regard to case, else the first active one.
 * Throws {@link DatabaseError} when there is none.
 */
export async function findCustomer(
  database: Database,
  contextIdentifier: string | undefined,
): Promise<CustomerRow> {
  const [row] = await database<CustomerRow[]>`
    select context_identifier as "contextIdentifier", system_user_token as "systemUserToken",
      is_active as "isActive"
    from customers
    where ${
    contextIdentifier === undefined
      ? database`is_active`
      : database`lower(context_identifier) = lower(${contextIdentifier})`
  }
    order by is_active desc, id
    limit 1`.catch((cause) => {
    throw explainDatabaseError(cause, database);
  });
  if (row !== undefined) return row;
  throw new DatabaseError(
    contextIdentifier === undefined
      ? "The table «customers» holds no active customer"
      : `The table «customers» holds no row for ${contextIdentifier}`,
    "Store the context identifier and the system user token of the customer's approval (README, «Use your own application»).",
  );
}

function assertNoneMissing(columns: Column[], kind: string, database: Database): void {
  const missing = Object.entries(COLUMNS).filter(([name]) =>
    !columns.some((column) => column.name === name)
  );
  if (missing.length === 0) return;
  const names = missing.map(([name]) => name).join(", ");
  const { message, remedy } = explainDatabaseError({
    code: "42703",
    message: `it lacks ${names}`,
  }, database);
  const additions = missing.map(([name, type]) => `add column ${name} ${type}`).join(", ");
  const statement = kind === "table" ? `\nalter table customers ${additions};` : "";
  throw new DatabaseError(message, remedy + statement);
}
