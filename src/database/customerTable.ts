// What the command `customers` does to the table.
import type postgres from "postgres";
import { canReadCalls, forgetCalls } from "./callCounts.ts";
import { type Database, runQuery } from "./connection.ts";
import { inPages } from "./inPages.ts";
import { canReadLastWork } from "./lastWork.ts";

/** What is shown of a row of the table `customers`: never the token. */
export interface ListedCustomer {
  id: string;
  /** The tenant, for example `Cust12345`. */
  contextIdentifier: string;
  isActive: boolean;
  lastSync: Date | null;
  lastError: string | null;
  /** When the work script last began there and ended well; left out where the table does not keep it. */
  lastWork?: Date | null;
  /** How many calls were made to it today and in the last 30 days (UTC); left out where they are not kept. */
  callsToday?: number;
  callsIn30Days?: number;
}

/** Which of the console's tables are there, by their names. Throws `DatabaseError`. */
export async function whichTables(database: Database): Promise<Set<string>> {
  const query = database<{ name: string }[]>`
    select name from unnest(string_to_array('customers,tickets,calls', ',')) as name
    where to_regclass(name) is not null`;
  return new Set((await runQuery(query, database)).map(({ name }) => name));
}

/**
 * Creates the table where it does not exist, and looks whether it has what the console needs. Throws `DatabaseError`.
 *
 * @param schema is safe to run twice
 */
export async function createTable(schema: string, database: Database): Promise<void> {
  const tables = await whichTables(database);
  // Who may not create tables may not say so of one that exists either.
  if (!tables.has("customers")) await runQuery(database.unsafe(schema), database);
  const look = database`
    select id, context_identifier, system_user_token, is_active, last_sync, last_error
    from customers
    limit 0`;
  await runQuery(look, database);
}

/** Streams these customers in pages, in the order of their ids, all where none is named; the first page comes even when empty. */
export async function* listCustomers(
  customers: string[],
  database: Database,
): AsyncGenerator<ListedCustomer[], void> {
  const areNamed = customers.length === 0
    ? database``
    : database`and lower(context_identifier) in ${
      database(customers.map((name) => name.toLowerCase()))
    }`;
  const isLastWorkRead = await canReadLastWork(database);
  const areCallsRead = await canReadCalls(database);
  yield* inPages((lastId, rows) => {
    const query = database<ListedCustomer[]>`
      select id, context_identifier as "contextIdentifier", is_active as "isActive",
        last_sync as "lastSync", last_error as "lastError"
        ${isLastWorkRead ? database`, last_work as "lastWork"` : database``}
        ${areCallsRead ? database`, "callsToday", "callsIn30Days"` : database``}
      from customers ${areCallsRead ? callsOf(database) : database``}
      where id > ${lastId}::bigint ${areNamed}
      order by id
      limit ${rows}`;
    return runQuery(query, database);
  });
}

function callsOf(database: Database): postgres.PendingQuery<postgres.Row[]> {
  return database`
    cross join lateral (
      select coalesce(sum(calls.calls), 0)::float8 as "callsIn30Days",
        coalesce(sum(calls.calls) filter (where calls.day = clock.today), 0)::float8 as "callsToday"
      from calls, (select (now() at time zone 'utc')::date as today) as clock
      where calls.customer_id = customers.id and calls.day > clock.today - 30
    ) as called`;
}

// Context identifiers are compared without regard to case, as SuperOffice does. Each of the following gives the customers
// concerned as their rows name them: none when there is no such customer. Each throws `DatabaseError`.

/** Whether there is such a customer, and how its row names it. */
export async function findCustomer(customer: string, database: Database): Promise<string[]> {
  return await names(
    database`
      select context_identifier as name from customers where ${isNamed(customer, database)}`,
    database,
  );
}

/** What became of a system user token, and the customers concerned. */
export interface StoredToken {
  stored: "added" | "replaced" | "exists";
  customers: string[];
}

/**
 * Adds a customer with its system user token. One that exists already is left as it is, or, where `replaces`, has its token
 * replaced, and is tried by the console at its next poll.
 */
export async function storeToken(
  customer: string,
  token: string,
  replaces: boolean,
  database: Database,
): Promise<StoredToken> {
  const changes = () => database`system_user_token = ${token}, is_active = true, last_error = null`;
  const replace = async () => replaces ? await update(customer, changes(), database) : [];
  let customers = await replace();
  if (customers.length > 0) return { stored: "replaced", customers };
  customers = await addCustomer(customer, token, database);
  if (customers.length > 0) return { stored: "added", customers };
  // Somebody else added it in between.
  customers = await replace();
  return customers.length > 0
    ? { stored: "replaced", customers }
    : { stored: "exists", customers: [customer] };
}

/** None when it exists already. */
async function addCustomer(
  customer: string,
  token: string,
  database: Database,
): Promise<string[]> {
  const query = database`
    insert into customers (context_identifier, system_user_token)
    select ${customer}::text, ${token}::text
    where not exists (select from customers where ${isNamed(customer, database)})
    returning context_identifier as name`;
  try {
    return await names(query, database);
  } catch (error) {
    // Who adds the same at the same time is not seen by the query.
    const isTwice = (error as { cause?: { code?: string } }).cause?.code === UNIQUE_VIOLATION;
    if (isTwice && (await findCustomer(customer, database)).length > 0) return [];
    throw error;
  }
}

const UNIQUE_VIOLATION = "23505";

/** Which rights storing a token takes. */
export interface Storing {
  adds: boolean;
  replaces: boolean;
}

/** Looks whether this user may store tokens there, without storing one. Throws `DatabaseError` where not. */
export async function assertMayStore(
  { adds, replaces }: Storing,
  database: Database,
): Promise<void> {
  const insert = database`
    insert into customers (context_identifier, system_user_token) select '', '' where false`;
  if (adds) await runQuery(insert, database);
  const update = database`
    update customers set system_user_token = '', is_active = true, last_error = null where false`;
  if (replaces) await runQuery(update, database);
}

/** Has the console leave the customer alone. */
export async function pauseCustomer(customer: string, database: Database): Promise<string[]> {
  return await update(customer, database`is_active = false`, database);
}

/** Has the console take the customer again, at its next poll: without an error there is nothing to wait for. */
export async function resumeCustomer(customer: string, database: Database): Promise<string[]> {
  return await update(customer, database`is_active = true, last_error = null`, database);
}

/** Has the work script begin afresh for the customer; a run in hand that went on from an earlier one counts no more. */
export async function restartWork(customer: string, database: Database): Promise<string[]> {
  return await update(customer, database`last_work = null`, database);
}

/** Removes the customer with its token, and how many calls were made to it. */
export async function removeCustomer(customer: string, database: Database): Promise<string[]> {
  const query = database<{ id: string; name: string }[]>`
    delete from customers where ${isNamed(customer, database)}
    returning id, context_identifier as name`;
  const removed = await runQuery(query, database);
  if (removed.length > 0) await forgetCalls(removed.map(({ id }) => id), database);
  return removed.map(({ name }) => name);
}

async function update(
  customer: string,
  changes: postgres.PendingQuery<postgres.Row[]>,
  database: Database,
): Promise<string[]> {
  return await names(
    database`
      update customers set ${changes} where ${isNamed(customer, database)}
      returning context_identifier as name`,
    database,
  );
}

function isNamed(customer: string, database: Database): postgres.PendingQuery<postgres.Row[]> {
  return database`lower(context_identifier) = lower(${customer})`;
}

async function names(
  query: postgres.PendingQuery<postgres.Row[]>,
  database: Database,
): Promise<string[]> {
  return (await runQuery(query, database)).map((row) => row["name"]);
}
