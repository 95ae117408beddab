import assert from "node:assert/strict";
import { test } from "node:test";
import type postgres from "postgres";
import { type Database, openDatabase } from "../../src/database/connection.ts";
import { recordResults, type Result } from "../../src/database/recordResults.ts";
import { renew, type TestDatabase, testDatabases } from "../support/testDatabase.ts";

const AT = new Date("2026-11-24T06:00:00.123Z");
const BEFORE = new Date("2020-01-01T00:00:00Z");

function result(id: string, syncedAt: Date | null, error: string | null): Result {
  return { id, contextIdentifier: `Cust${id}`, syncedAt, worked: null, error };
}

const worked = (id: string) => result(id, AT, null);

/** The databases of this file, each started once. */
const started = new Map<string, Promise<TestDatabase>>();

/** Runs a test on a table of `count` customers, each with an old error. */
async function withTable(
  { name, start }: typeof testDatabases[number],
  count: number,
  run: (sql: postgres.Sql, database: Database, databaseUrl: string) => Promise<void>,
): Promise<void> {
  if (!started.has(name)) started.set(name, start());
  const testDatabase = await started.get(name)!;
  await renew(testDatabase);
  const { sql, databaseUrl } = testDatabase;
  const database = openDatabase(databaseUrl);
  await sql`
    insert into customers (context_identifier, system_user_token, last_sync, last_error)
    select 'Cust' || n, 'App-' || n, ${BEFORE}, 'old' from generate_series(1, ${count}::int) as n`;
  await run(sql, database, databaseUrl).finally(() => database.end());
}

async function idsOf(sql: postgres.Sql, lastError: string | null): Promise<string[]> {
  const rows = await sql`
    select id from customers where last_error is not distinct from ${lastError} order by id`;
  return rows.map(({ id }) => id);
}

for (const testDatabase of testDatabases) {
  const { name } = testDatabase;
  test(`results of many customers are written in one statement on ${name}`, () =>
    withTable(testDatabase, 3, async (sql, database) => {
      const unwritten = await recordResults([
        worked("1"),
        result("2", null, `it's "quoted" \\ and ünïcode`),
        worked("99"),
      ], database);
      assert.deepEqual(unwritten, { locked: [], refused: [] });
      const rows = await sql`select last_sync, last_error from customers order by id`;
      assert.deepEqual(rows.map(({ last_sync, last_error }) => [last_sync, last_error]), [
        [AT, null],
        [BEFORE, `it's "quoted" \\ and ünïcode`],
        [BEFORE, "old"],
      ]);
      // A zero byte and half of a letter, which Postgres does not take.
      const hostile = [result("1", null, "cut \ud83d"), result("2", null, "zero \0"), worked("3")];
      await recordResults(hostile, database);
      const after = await sql`select last_error from customers order by id`;
      assert.deepEqual(after.map(({ last_error }) => last_error), [
        "cut \ufffd",
        "zero \ufffd",
        null,
      ]);
    }));

  test(`a run of the work script is written with the log-on, and none leaves it on ${name}`, () =>
    withTable(testDatabase, 5, async (sql, database) => {
      await sql`update customers set last_work = ${BEFORE} where id <> 3`;
      const ran = (id: string, resumed: boolean): Result => ({
        ...worked(id),
        worked: { beganAt: AT, resumed },
      });
      // The third was restarted while a run that had begun before was in hand.
      const results = [ran("1", false), ran("2", true), ran("3", true), worked("4")];
      await recordResults([...results, result("5", null, "threw")], database);
      const rows = await sql`select last_sync, last_work from customers order by id`;
      assert.deepEqual(rows.map(({ last_sync, last_work }) => [last_sync, last_work]), [
        [AT, AT],
        [AT, AT],
        [AT, null],
        [AT, BEFORE],
        [BEFORE, BEFORE],
      ]);
      await recordResults([ran("3", false)], database);
      assert.equal(
        (await sql`select 1 from customers where id = 3 and last_work is null`).length,
        0,
      );
      // Where no script ran, the column is not needed.
      await sql`alter table customers drop column last_work`;
      await recordResults([worked("5")], database);
      assert.deepEqual(await idsOf(sql, null), ["1", "2", "3", "4", "5"]);
    }));

  test(`a view whose rows cannot be locked is written on ${name}`, () =>
    withTable(testDatabase, 3, async (sql, database) => {
      await sql.unsafe(`
        alter table customers rename to subscriptions;
        create view customers as select distinct * from subscriptions;
        create function write_through() returns trigger language plpgsql as $$ begin
          update subscriptions set last_sync = new.last_sync, last_error = new.last_error where id = new.id;
          return new;
        end $$;
        create trigger write_through instead of update on customers
          for each row execute function write_through();`);
      const unwritten = await recordResults([worked("1"), worked("3")], database);
      assert.deepEqual(unwritten, { locked: [], refused: [] });
      assert.deepEqual(await idsOf(sql, null), ["1", "3"]);
    }));

  const refusals = {
    "a constraint": "alter table customers add check (id <> 7 or last_error is not null)",
    "a trigger": `
      create function refuse() returns trigger language plpgsql as $$ begin
        if new.id = 7 then raise exception 'not this one'; end if;
        return new;
      end $$;
      create trigger refuse before update on customers for each row execute function refuse();`,
    ...Object.fromEntries(
      ["CRM07", "42501", "55000", "0A000", "40001", "57014"].map((code) => [
        `a trigger with the code ${code}`,
        `create function refuse() returns trigger language plpgsql as $$ begin
          if new.id = 7 then raise exception 'not this one' using errcode = '${code}'; end if;
          return new;
        end $$;
        create trigger refuse before update on customers for each row execute function refuse();`,
      ]),
    ),
  };
  for (const [what, statement] of Object.entries(refusals)) {
    test(`a row that ${what} refuses is left out alone, and told, on ${name}`, () =>
      withTable(testDatabase, 20, async (sql, database) => {
        await sql.unsafe(statement);
        const results = Array.from({ length: 20 }, (_, index) => worked(`${index + 1}`));
        const { locked, refused } = await recordResults(results, database);
        assert.deepEqual(locked, []);
        assert.deepEqual(refused.map(({ result: { id } }) => id), ["7"]);
        assert.match(refused[0]!.error.message, /not this one|check constraint/);
        assert.deepEqual(await idsOf(sql, "old"), ["7"]);
      }));
  }

  test(`a row that a trigger leaves as it is counts as written on ${name}`, () =>
    withTable(testDatabase, 3, async (sql, database) => {
      await sql.unsafe(`
        create trigger same before update on customers
          for each row execute function suppress_redundant_updates_trigger();`);
      for (let count = 0; count < 2; count++) {
        const unwritten = await recordResults([result("1", null, "again")], database);
        assert.deepEqual(unwritten, { locked: [], refused: [] });
      }
    }));

  test(`a database that refuses every row is not asked for each on ${name}`, () =>
    withTable(testDatabase, 1000, async (sql, database) => {
      await sql`alter table customers add check (last_error is not null)`;
      const results = Array.from({ length: 1000 }, (_, index) => worked(`${index + 1}`));
      await assert.rejects(recordResults(results, database), { message: /check constraint/ });
    }));

  test(`a table with a rule is written on ${name}`, () =>
    withTable(testDatabase, 3, async (sql, database) => {
      await sql.unsafe(`
        create table changes (id bigint);
        create rule noted as on update to customers do also insert into changes values (new.id);`);
      await recordResults([worked("1")], database);
      assert.deepEqual(await idsOf(sql, null), ["1"]);
    }));

  test(`a table that lacks a column is no row's fault on ${name}`, () =>
    withTable(testDatabase, 4, async (sql, database) => {
      await sql`alter table customers drop column last_sync`;
      await assert.rejects(recordResults([worked("1"), worked("2")], database), {
        code: "DATABASE_TROUBLE",
        message: /last_sync/,
      });
    }));
}

// The embedded Postgres serves one session at a time.
for (const testDatabase of testDatabases.slice(1)) {
  const { name } = testDatabase;
  test(`rows that another session has locked are left out and told on ${name}`, () =>
    withTable(testDatabase, 5, async (sql, database) => {
      await sql.begin(async (other) => {
        await other`select from customers where id in (2, 4) for update`;
        const results = ["1", "2", "3", "4", "5"].map(worked);
        const { locked, refused } = await recordResults(results, database);
        assert.deepEqual(locked.map(({ id }) => id), ["2", "4"]);
        assert.deepEqual(refused, []);
        assert.deepEqual(await idsOf(sql, "old"), ["2", "4"]);
      });
      assert.deepEqual((await recordResults([worked("2")], database)).locked, []);
      assert.deepEqual(await idsOf(sql, "old"), ["4"]);
    }));

  test(`a row's policy refuses that row alone on ${name}`, () =>
    withTable(testDatabase, 4, async (sql, database, databaseUrl) => {
      const role = `console_${database.options.database}`;
      await sql.unsafe(`
        create role ${role};
        grant select, update on customers to ${role};
        alter table customers enable row level security;
        create policy reads on customers for select using (true);
        create policy writes on customers for update using (true) with check (id <> 3);`);
      const policed = openDatabase(`${databaseUrl}?role=${role}`);
      const { refused } = await recordResults(["1", "2", "3", "4"].map(worked), policed);
      await policed.end();
      await sql.unsafe(`drop owned by ${role}; drop role ${role};`);
      assert.deepEqual(refused.map(({ result: { id } }) => id), ["3"]);
      assert.deepEqual(await idsOf(sql, "old"), ["3"]);
    }));
}
