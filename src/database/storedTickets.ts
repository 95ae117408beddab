// The table `tickets`: what is kept of customers beyond the process, sealed before it comes here.
import type postgres from "postgres";
import { type Database, DatabaseError, placeOf, runQuery } from "./connection.ts";

/** What is stored for a customer. */
export interface StoredTicket {
  /** The customer's. */
  id: string;
  /** Nothing in it can be read, or told from noise, without the client secret. */
  sealed: Uint8Array<ArrayBuffer>;
}

/** The table `tickets` is not there, or not as expected, or may not be used: that stays so until somebody does something. */
export class TicketTableError extends DatabaseError {}

/** A ticket lives 6 hours from its last use, and is written again each half hour at least while it is in use. */
const LONGEST_HOURS = 7;

/** Reads what is stored for customers, by their ids; in one statement. Throws {@link DatabaseError}. */
export async function readTickets(
  ids: string[],
  database: Database,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const query = database<{ id: string; sealed: Uint8Array<ArrayBuffer> | null }[]>`
    select customer_id as id, sealed from tickets
    where customer_id in (select id::bigint from jsonb_array_elements_text(${
    database.json(ids)
  }) as id)`;
  const rows = await runOnTickets(query, database);
  return new Map(rows.flatMap(({ id, sealed }) => sealed === null ? [] : [[id, sealed]]));
}

/**
 * Stores tickets in place of what was stored for the same customers, in one statement. Another console may do the same: what is
 * written later stays; but where another is making a new one, that is the one that counts. Throws {@link DatabaseError}.
 *
 * @param claimant tells this console from others
 */
export async function writeTickets(
  tickets: StoredTicket[],
  claimant: string,
  database: Database,
): Promise<void> {
  const rows = tickets.map(({ id, sealed }) => ({
    id,
    sealed: Buffer.from(sealed).toString("base64"),
  }));
  // In the same order everywhere, so that no two consoles wait for each other's rows.
  const query = database`
    insert into tickets (customer_id, sealed, written_at)
    select distinct on (id) id, decode(sealed, 'base64'), now()
    from jsonb_to_recordset(${database.json(rows)}) as ticket(id bigint, sealed text)
    order by id
    on conflict (customer_id) do update
    set sealed = excluded.sealed, written_at = excluded.written_at, claimed_by = null, claimed_until = null
    where tickets.claimed_until is null or tickets.claimed_until < now()
      or tickets.claimed_by = ${claimant}`;
  await runOnTickets(query, database);
}

/**
 * Stores tickets in place of those that were read, in one statement; not where another was stored meanwhile. When they were written
 * stays, since they live no longer by it. Throws {@link DatabaseError}.
 */
export async function replaceTickets(
  tickets: (StoredTicket & { read: Uint8Array<ArrayBuffer> })[],
  database: Database,
): Promise<void> {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  const rows = tickets.map(({ id, sealed, read }) => ({
    id,
    sealed: base64(sealed),
    read: base64(read),
  }));
  const query = database`
    update tickets set sealed = decode(ticket.sealed, 'base64')
    from jsonb_to_recordset(${database.json(rows)}) as ticket(id bigint, sealed text, read text)
    where customer_id = id and tickets.sealed = decode(ticket.read, 'base64')`;
  await runOnTickets(query, database);
}

/** Takes away what is stored for these customers. Throws {@link DatabaseError}. */
export async function emptyTickets(ids: string[], database: Database): Promise<void> {
  const query = database`
    update tickets set sealed = null
    where sealed is not null and customer_id in (select id::bigint from jsonb_array_elements_text(${
    database.json(ids)
  }) as id order by 1)`;
  await runOnTickets(query, database);
}

/** Clears away what has expired, and what belongs to no customer any more. Throws {@link DatabaseError}. */
export async function clearTickets(database: Database): Promise<void> {
  const query = database`
    delete from tickets
    where written_at < now() - ${LONGEST_HOURS}::int * interval '1 hour'
      or not exists (select from customers where customers.id = tickets.customer_id)`;
  await runOnTickets(query, database);
}

/**
 * Makes the table where it does not exist; gives whether it did, or why it could not, or why the table that is there cannot be
 * used. Throws {@link DatabaseError} when the database cannot be asked.
 *
 * @param schema is safe to run twice
 */
export async function addTickets(
  schema: string,
  database: Database,
): Promise<boolean | TicketTableError> {
  const look = () => database`select customer_id, sealed, written_at from tickets limit 0`;
  let isAdded = false;
  try {
    const found = await runQuery(
      database`select from pg_class where oid = to_regclass('tickets')`,
      database,
    );
    if (found.length === 0) {
      isAdded = true;
      await runOnTickets(database.unsafe(schema), database);
    }
    await runOnTickets(look(), database);
    return isAdded;
  } catch (error) {
    if (!(error instanceof TicketTableError)) throw error;
    return isAdded ? notAdded(error, database) : error;
  }
}

function notAdded({ cause }: TicketTableError, database: Database): TicketTableError {
  return new TicketTableError(
    `The table tickets could not be made: ${(cause as Error).message}`,
    `Have somebody who may do so run: psql "$DATABASE_URL" -f fixtures/schema.sql, and: ${
      grantTo(database)
    }`,
    { cause },
  );
}

async function runOnTickets<T extends readonly postgres.MaybeRow[]>(
  query: postgres.PendingQuery<T>,
  database: Database,
): Promise<postgres.RowList<T>> {
  try {
    return await runQuery(query, database);
  } catch (error) {
    throw tableErrorOf((error as DatabaseError).cause, database) ?? error;
  }
}

/** What is wrong with the table, for an error of the server's; undefined where it is something else. */
function tableErrorOf(cause: unknown, database: Database): TicketTableError | undefined {
  const { code, message } = cause as { code?: string; message: string };
  const { database: name, user } = database.options;
  const where = `«${name}» at ${placeOf(database)}`;
  const explain = (what: string, remedy: string) => new TicketTableError(what, remedy, { cause });
  switch (code) {
    case "42P01":
      return explain(
        `The database ${where} has no table «tickets»`,
        'Create it: npm run customers -- init (or psql "$DATABASE_URL" -f fixtures/schema.sql)',
      );
    case "42703":
      return explain(
        `The table «tickets» in ${where} is not as expected: ${message}`,
        "Compare it with fixtures/schema.sql; where it is another program's, move one of both to another schema (search_path).",
      );
    case "42501":
      return explain(
        `The user «${user}» may not use the table «tickets» in ${where}: ${message}`,
        `Grant it: ${grantTo(database)}`,
      );
    default:
      return undefined;
  }
}

function grantTo({ options: { user } }: Database): string {
  return `grant select, insert, update, delete on tickets to "${user}"`;
}
