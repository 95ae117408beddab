import { type Database, runQuery } from "./database.ts";

/** A row of the table `customers`. */
export interface Customer {
  id: string;
  /** The tenant, for example `Cust12345`. */
  contextIdentifier: string;
  /** A secret. */
  systemUserToken: string;
  /** When the console last logged on to the tenant. */
  lastSync: Date | null;
  /** Whether `last_error` holds something. */
  hasError: boolean;
}

/** How many customers are active. Throws {@link DatabaseError}. */
export async function countCustomers(database: Database): Promise<number> {
  const query = database<{ count: number }[]>`
    select count(*)::int as count from customers where is_active`;
  return (await runQuery(query, database))[0]!.count;
}

const PAGE_ROWS = 1000;
const BEFORE_THE_FIRST_ID = "-9223372036854775808";

/**
 * Streams the active customers in the order of their ids. At most one page of them is held, and no transaction
 * stays open between pages.
 *
 * Throws {@link DatabaseError}.
 */
export async function* loadCustomers(database: Database): AsyncGenerator<Customer, void> {
  let lastId = BEFORE_THE_FIRST_ID;
  while (true) {
    const query = database<Customer[]>`
      select id, context_identifier as "contextIdentifier",
        coalesce(system_user_token, '') as "systemUserToken",
        last_sync as "lastSync", last_error is not null as "hasError"
      from customers
      where is_active and id > ${lastId}::bigint
      order by id
      limit ${PAGE_ROWS}`;
    const page = await runQuery(query, database);
    yield* page;
    if (page.length < PAGE_ROWS) return;
    lastId = page[page.length - 1]!.id;
  }
}
