// Who was refused for what trying again does not mend, and until when all consoles leave them alone.
import type postgres from "postgres";
import type { Database } from "./connection.ts";
import type { Customer } from "./loadCustomers.ts";
import { runOnTickets } from "./ticketTable.ts";

/** A refusal. */
export interface Refusal extends Pick<Customer, "id" | "contextIdentifier" | "systemUserToken"> {
  code: string;
}

const ROW = "md5(context_identifier || ' ' || coalesce(system_user_token, ''))";

/**
 * Notes refusals: each leaves the customer alone for twice as long as the last one of the same row, if that was waited for: who is
 * tried before has an emptied `last_error`, and starts anew. Throws `DatabaseError`.
 */
export async function noteRefusals(
  refusals: Refusal[],
  firstMs: number,
  longestMs: number,
  database: Database,
): Promise<void> {
  const rows = refusals.map(({ id, contextIdentifier, systemUserToken, code }) => ({
    id,
    code,
    context_identifier: contextIdentifier,
    system_user_token: systemUserToken,
  }));
  const ms = database`case
    when tickets.refused_row = excluded.refused_row and tickets.refused_until <= now()
    then least(${longestMs}::float8, 2 * tickets.refused_ms) else excluded.refused_ms end`;
  const query = database`
    insert into tickets (customer_id, refused_code, refused_row, refused_ms, refused_until)
    select distinct on (id) id, code, ${database.unsafe(ROW)}, ms, now() + ms * interval '1 ms'
    from jsonb_to_recordset(${database.json(rows)})
      as refusal(id bigint, code text, context_identifier text, system_user_token text),
      (select least(${firstMs}::float8, ${longestMs}::float8) as ms) as first
    order by id
    on conflict (customer_id) do update set
      refused_code = excluded.refused_code, refused_row = excluded.refused_row,
      refused_ms = ${ms}, refused_until = now() + ${ms} * interval '1 ms',
      -- What is not written again for long is cleared away.
      written_at = now()`;
  await runOnTickets(query, database);
}

/** Forgets the refusals of these customers. Throws `DatabaseError`. */
export async function forgetRefusals(ids: string[], database: Database): Promise<void> {
  await runOnTickets(
    database`
      update tickets
      set refused_code = null, refused_row = null, refused_ms = null, refused_until = null
      where refused_until is not null and customer_id in (
        select id::bigint from jsonb_array_elements_text(${database.json(ids)}) as id order by 1
      )`,
    database,
  );
}

/** Has those tried at the next beat who were refused with one of these codes, or as these customers were. Throws `DatabaseError`. */
export async function tryRefused(
  codes: string[],
  customerIds: string[],
  database: Database,
): Promise<void> {
  const query = database`
    update tickets set refused_until = now()
    where refused_until > now() and refused_code in (
      select jsonb_array_elements_text(${database.json(codes)})
      union all
      select refused_code from tickets where refused_code is not null and customer_id in (
        select id::bigint from jsonb_array_elements_text(${database.json(customerIds)}) as id
      )
    )`;
  await runOnTickets(query, database);
}

/** Has all tried at the next beat who were refused. Throws `DatabaseError`. */
export async function tryAllRefused(database: Database): Promise<void> {
  const query = database`update tickets set refused_until = now() where refused_until > now()`;
  await runOnTickets(query, database);
}

/** Whether a customer, as `customers` names it, was refused as it is and is to be left alone yet; `last_error` emptied ends that. */
export function isLeftAlone(sql: postgres.Sql): postgres.PendingQuery<postgres.Row[]> {
  // The error is written a moment after the refusal. Found once for all, and not for each row.
  return sql`customers.id in (
    select customers.id from customers join tickets on customer_id = customers.id
    where refused_until > now() and refused_row = ${sql.unsafe(ROW)}
      and (last_error is not null or refused_until - refused_ms * interval '1 ms' > now() - interval '10 s'))`;
}
