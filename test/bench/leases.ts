// The yardstick for the division by pg-boss: the same by plain leases, one table and no package.
import type postgres from "postgres";
import { type Batch, batchSizeFor, CLAIM_MS, type Division } from "../../src/database/division.ts";

const SCHEMA = `
  create table if not exists lease_beats (number bigint primary key, beat_seconds float8);
  create table if not exists leases (
    id bigint generated always as identity primary key,
    customers jsonb not null,
    is_rest boolean not null default false,
    held_until timestamptz,
    times int not null default 0
  );`;

const HELD = `now() + ${CLAIM_MS} * interval '1 ms'`;

/** Divides by rows that are held for a time: `for update skip locked` gives each to one. */
export function createLeases(sql: postgres.Sql, beatSeconds: number): Division {
  const ready = sql.unsafe(SCHEMA);

  interface Row {
    id: string;
    times: number;
    customers: string[];
    is_rest: boolean;
  }

  function toBatch({ id, times, customers, is_rest: isRest }: Row): Batch {
    return { claim: { id, retryCount: times }, isRest, customerIds: customers };
  }

  /** The rows of these batches, as far as nobody else has them meanwhile. */
  function own(batches: Batch[], client: postgres.Sql = sql) {
    return client`(id, times) in (
      select id, times from jsonb_to_recordset(${
      client.json(batches.map(({ claim: { id, retryCount } }) => ({ id, times: retryCount })))
    }) as claim(id bigint, times int))`;
  }

  return {
    async cut() {
      await ready;
      return await sql.begin(async (transaction) => {
        await transaction`set local lock_timeout = 5000`;
        const [beat] = await transaction<[{ number: string; seconds: number; isFirst: boolean }]>`
          with beat as (select floor(extract(epoch from now()) / ${beatSeconds})::bigint as number),
          first as (
            insert into lease_beats select number, ${beatSeconds} from beat on conflict do nothing returning 1
          )
          select number, extract(epoch from now())::float8 as seconds, exists (select from first) as "isFirst" from beat`;
        const number = Number(beat.number);
        const leftMs = ((number + 1) * beatSeconds - beat.seconds) * 1000;
        if (beat.isFirst) {
          await transaction`delete from lease_beats where number < ${number}`;
          await transaction`delete from leases where held_until is null or held_until < now()`;
          const customers = await transaction<{ id: string }[]>`
            select id from customers where is_active and id not in (
              select value::bigint from leases, jsonb_array_elements_text(customers)
            ) order by id`;
          const size = batchSizeFor(customers.length);
          const batches = Array.from(
            { length: Math.ceil(customers.length / size) || 0 },
            (_, index) => customers.slice(index * size, (index + 1) * size).map(({ id }) => id),
          );
          await transaction`
            insert into leases (customers)
            select value from jsonb_array_elements(${transaction.json(batches)})`;
        }
        return { number, leftMs, otherRhythms: [], counts: undefined };
      });
    },
    async take(customers) {
      const rows = await sql<Row[]>`
        update leases set held_until = ${sql.unsafe(HELD)}, times = times + 1
        where id in (
          select id from leases where held_until is null or held_until < now()
          order by id limit greatest(1, ${customers} / greatest(1, (select jsonb_array_length(customers) from leases limit 1)))
          for update skip locked
        ) returning id, times, customers, is_rest`;
      return rows.map(toBatch);
    },
    async renew(batches) {
      const rows = await sql<Row[]>`
        update leases set held_until = ${sql.unsafe(HELD)} where ${own(batches)} returning id`;
      const held = new Set(rows.map(({ id }) => id));
      return batches.filter(({ claim }) => !held.has(claim.id));
    },
    recover: () => Promise.resolve(),
    isUnfinished: async () => (await sql`select from leases where not is_rest limit 1`).length > 0,
    async finish(batches) {
      await sql`delete from leases where ${own(batches)}`;
    },
    divide: (batch, keptIds, returnedIds) =>
      sql.begin(async (transaction) => {
        const client = transaction as unknown as postgres.Sql;
        const gone = await transaction`delete from leases where ${
          own([batch], client)
        } returning 1`;
        if (gone.length === 0) return undefined;
        if (returnedIds.length > 0) {
          await transaction`insert into leases (customers) values (${
            transaction.json(returnedIds)
          })`;
        }
        if (keptIds.length === 0) return undefined;
        const [row] = await transaction<[Row]>`
          insert into leases (customers, is_rest, held_until, times)
          values (${transaction.json(keptIds)}, true, ${transaction.unsafe(HELD)}, 1)
          returning id, times, customers, is_rest`;
        return toBatch(row);
      }),
    close: () => Promise.resolve(),
  };
}
