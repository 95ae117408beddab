// The table `tickets`: what is kept of customers beyond the process, sealed before it comes here.
import type { Database } from "./connection.ts";
import { runOnTickets } from "./ticketTable.ts";

/** What is stored for a customer. */
export interface StoredTicket {
  /** The customer's. */
  id: string;
  /** Nothing in it can be read, or told from noise, without the client secret. */
  sealed: Uint8Array<ArrayBuffer>;
}

/** A ticket lives 6 hours from its last use, and is written again each half hour at least while it is in use. */
const LONGEST_HOURS = 7;

/** Reads what is stored for customers, by their ids; in one statement. Throws `DatabaseError`. */
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
 * written later stays; but where another is making a new one, that is the one that counts. Rows that somebody holds are waited for
 * by nobody: gives their customers' ids, whose tickets are not stored. Throws `DatabaseError`.
 *
 * @param claimant tells this console from others
 */
export async function writeTickets(
  tickets: StoredTicket[],
  claimant: string,
  database: Database,
): Promise<string[]> {
  const rows = tickets.map(({ id, sealed }) => ({
    id,
    sealed: Buffer.from(sealed).toString("base64"),
  }));
  // In the same order everywhere, so that no two consoles wait for each other's rows.
  const query = database<{ id: string }[]>`
    with given as materialized (
      select distinct on (id) id, decode(sealed, 'base64') as sealed
      from jsonb_to_recordset(${database.json(rows)}) as ticket(id bigint, sealed text)
      order by id
    ), free as materialized (
      select customer_id from tickets where customer_id in (select id from given)
      order by customer_id
      for update skip locked
    ), held as materialized (
      select customer_id as id from tickets
      where customer_id in (select id from given) and customer_id not in (select customer_id from free)
    ), written as (
      insert into tickets (customer_id, sealed, written_at)
      select id, sealed, now() from given where id not in (select id from held)
      order by id
      on conflict (customer_id) do update
      set sealed = excluded.sealed, written_at = excluded.written_at, claimed_by = null, claimed_until = null
      where tickets.claimed_until is null or tickets.claimed_until < now()
        or tickets.claimed_by = ${claimant}
    )
    select id from held`;
  return (await runOnTickets(query, database)).map(({ id }) => id);
}

/**
 * Stores tickets in place of those that were read, in one statement; not where another was stored meanwhile. When they were written
 * stays, since they live no longer by it. Throws `DatabaseError`.
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

/** Takes away what is stored for these customers. Throws `DatabaseError`. */
export async function emptyTickets(ids: string[], database: Database): Promise<void> {
  const query = database`
    update tickets set sealed = null
    where sealed is not null and customer_id in (select id::bigint from jsonb_array_elements_text(${
    database.json(ids)
  }) as id order by 1)`;
  await runOnTickets(query, database);
}

/** Clears away what has expired, and what belongs to no customer any more, but for rows that somebody holds. Throws `DatabaseError`. */
export async function clearTickets(database: Database): Promise<void> {
  const query = database`
    delete from tickets
    where customer_id in (
      select customer_id from tickets
      where written_at < now() - ${LONGEST_HOURS}::int * interval '1 hour'
        or not exists (select from customers where customers.id = tickets.customer_id)
      for update skip locked)`;
  await runOnTickets(query, database);
}
