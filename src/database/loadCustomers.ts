import type postgres from "postgres";
import { type Database, DatabaseError, runQuery } from "./connection.ts";
import { inPages } from "./inPages.ts";
import { findLastWorkFault } from "./lastWork.ts";

/** A row of the table `customers`. */
export interface Customer {
  id: string;
  /** The tenant, for example `Cust12345`. */
  contextIdentifier: string;
  /** A secret. */
  systemUserToken: string;
  /** When the console last logged on to the tenant, and its work there did not fail. */
  lastSync: Date | null;
  /**
   * When the work script last began for it and ended well; null before the first time, and where nobody asks. An error where
   * the table does not keep it.
   */
  lastWork: Date | null | DatabaseError;
  /** Whether `last_error` holds something. */
  hasError: boolean;
  /** How many milliseconds the database's clock, which stamps `last_sync` and `last_work`, is ahead of the monotonic one. */
  databaseAheadMs: number;
}

/** Which customers are taken, and with what. */
export interface Which {
  /** Those alone whose rows bear these names, or why the names are not known; all where it is undefined. */
  only?: string[] | DatabaseError | undefined;
  /** Those alone whose rows have these ids; all where it is undefined. */
  ids?: string[] | undefined;
  /** Whether `lastWork` is asked for. */
  withLastWork?: boolean;
}

/** How many customers are active, of all or of those named. Throws `DatabaseError`. */
export async function countCustomers(
  database: Database,
  only?: string[] | DatabaseError,
): Promise<number> {
  const query = database<{ count: number }[]>`
    select count(*)::int as count from customers where ${isTaken({ only }, database)}`;
  return (await runQuery(query, database))[0]!.count;
}

function isTaken(
  { only, ids }: Which,
  database: Database,
): postgres.PendingQuery<postgres.Row[]> {
  if (only instanceof DatabaseError) throw only;
  if (ids !== undefined) {
    return database`is_active and id in (
      select value::bigint from jsonb_array_elements_text(${database.json(ids)}))`;
  }
  return only === undefined
    ? database`is_active`
    : database`is_active and context_identifier in ${database(only)}`;
}

/**
 * Streams the active customers in pages, in the order of their ids; the last page may be empty. Throws `DatabaseError`.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export async function* loadCustomers(
  database: Database,
  monotonicMs: () => number = () => performance.now(),
  { only, ids, withLastWork = false }: Which = {},
): AsyncGenerator<Customer[], void> {
  const fault = withLastWork ? await findLastWorkFault(database) : undefined;
  const isLastWorkRead = withLastWork && fault === undefined;
  const pages = inPages((lastId, rows) => {
    const query = database<Customer[]>`
      select id, context_identifier as "contextIdentifier",
        coalesce(system_user_token, '') as "systemUserToken",
        last_sync as "lastSync", ${
      isLastWorkRead ? database`last_work` : database`null`
    } as "lastWork",
        last_error is not null as "hasError",
        (extract(epoch from now()) * 1000)::float8 as "databaseAheadMs"
      from customers
      where ${isTaken({ only, ids }, database)} and id > ${lastId}::bigint
      order by id
      limit ${rows}`;
    return runQuery(query, database);
  });
  for await (const page of pages) {
    // Read a moment later than the database looked at its clock: what it stamps is early rather than late.
    const nowMs = monotonicMs();
    for (const customer of page) {
      customer.databaseAheadMs -= nowMs;
      if (fault !== undefined) customer.lastWork = fault;
    }
    yield page;
  }
}
