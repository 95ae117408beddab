import { type Database, runQuery } from "./connection.ts";
import { inPages } from "./inPages.ts";

/** A row of the table `customers`. */
export interface Customer {
  id: string;
  /** The tenant, for example `Cust12345`. */
  contextIdentifier: string;
  /** A secret. */
  systemUserToken: string;
  /** When the console last logged on to the tenant, and its work there did not fail. */
  lastSync: Date | null;
  /** Whether `last_error` holds something. */
  hasError: boolean;
  /** How many milliseconds the database's clock, which stamps `last_sync`, is ahead of the monotonic one. */
  databaseAheadMs: number;
}

/** How many customers are active. Throws `DatabaseError`. */
export async function countCustomers(database: Database): Promise<number> {
  const query = database<{ count: number }[]>`
    select count(*)::int as count from customers where is_active`;
  return (await runQuery(query, database))[0]!.count;
}

/**
 * Streams the active customers in the order of their ids. Throws `DatabaseError`.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export async function* loadCustomers(
  database: Database,
  monotonicMs: () => number = () => performance.now(),
): AsyncGenerator<Customer, void> {
  const pages = inPages((lastId, rows) => {
    const query = database<Customer[]>`
      select id, context_identifier as "contextIdentifier",
        coalesce(system_user_token, '') as "systemUserToken",
        last_sync as "lastSync", last_error is not null as "hasError",
        (extract(epoch from now()) * 1000)::float8 as "databaseAheadMs"
      from customers
      where is_active and id > ${lastId}::bigint
      order by id
      limit ${rows}`;
    return runQuery(query, database);
  });
  for await (const page of pages) {
    // Read a moment later than the database looked at its clock: what it stamps is early rather than late.
    const nowMs = monotonicMs();
    for (const customer of page) customer.databaseAheadMs -= nowMs;
    yield* page;
  }
}
