// The right to make a customer's next ticket, which one console has at a time.
import type { Database } from "./connection.ts";
import { runOnTickets } from "./ticketTable.ts";

/**
 * Takes the right to make a ticket for each of these customers, or renews it; gives those for whom it was had, with what is stored
 * just then: it may be a ticket that another console has made meanwhile. No lock is held afterwards. Throws `DatabaseError`.
 *
 * @param claimant tells this console from others
 * @param holdMs for how long it holds where it is not renewed
 */
export async function claimTickets(
  ids: string[],
  claimant: string,
  holdMs: number,
  database: Database,
): Promise<Map<string, Uint8Array<ArrayBuffer> | null>> {
  const query = database<{ id: string; sealed: Uint8Array<ArrayBuffer> | null }[]>`
    insert into tickets (customer_id, claimed_by, claimed_until)
    select distinct id::bigint, ${claimant}::text, now() + ${holdMs}::float8 * interval '1 ms'
    from jsonb_array_elements_text(${database.json(ids)}) as id
    order by 1
    on conflict (customer_id) do update
    set claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until
    where tickets.claimed_until is null or tickets.claimed_until < now()
      or tickets.claimed_by = excluded.claimed_by
    returning customer_id as id, sealed`;
  return new Map((await runOnTickets(query, database)).map(({ id, sealed }) => [id, sealed]));
}

/** Gives the right back where no ticket came of it; one that is stored gives it back, too. Throws `DatabaseError`. */
export async function releaseTickets(
  ids: string[],
  claimant: string,
  database: Database,
): Promise<void> {
  await runOnTickets(
    database`
      update tickets set claimed_by = null, claimed_until = null
      where claimed_by = ${claimant} and customer_id in (
        select id::bigint from jsonb_array_elements_text(${database.json(ids)}) as id order by 1
      )`,
    database,
  );
}
