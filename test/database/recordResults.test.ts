import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../src/database/connection.ts";
import {
  createResultWriter,
  recordResults,
  type Result,
} from "../../src/database/recordResults.ts";
import { testDatabases } from "../support/testDatabase.ts";

const AT = new Date("2026-11-24T06:00:00.123Z");

for (const { name, start } of testDatabases) {
  test(`results of many customers are written in one statement on ${name}`, async () => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);
    await sql`
      insert into customers (context_identifier, system_user_token, last_sync, last_error)
      select 'Cust' || n, 'App-' || n, '2020-01-01T00:00:00Z', 'old' from generate_series(1, 3) as n`;
    await recordResults([
      { id: "1", syncedAt: AT, error: null },
      { id: "2", syncedAt: null, error: `it's "quoted" \\ and ünïcode` },
    ], database);
    const rows = await sql`select last_sync, last_error from customers order by id`;
    const before = new Date("2020-01-01T00:00:00Z");
    assert.deepEqual(rows.map(({ last_sync, last_error }) => [last_sync, last_error]), [
      [AT, null],
      [before, `it's "quoted" \\ and ünïcode`],
      [before, "old"],
    ]);
    // A zero byte and half of a letter, which Postgres does not take.
    await recordResults([
      { id: "1", syncedAt: null, error: "cut \ud83d" },
      { id: "2", syncedAt: null, error: "zero \0" },
      { id: "3", syncedAt: AT, error: null },
    ], database);
    const after = await sql`select last_sync, last_error from customers order by id`;
    assert.deepEqual(after.map(({ last_error }) => last_error), [
      "cut \ufffd",
      "zero \ufffd",
      null,
    ]);
    await database.end();
    await close();
  });
}

function result(id: string, error: string | null = null): Result {
  return { id, syncedAt: error === null ? AT : null, error };
}

function fail(error: unknown): void {
  throw error;
}

function keepIn(batches: Result[][]): (batch: Result[]) => Promise<void> {
  return (batch) => {
    batches.push(batch);
    return Promise.resolve();
  };
}

test("results are gathered and written together", async () => {
  const batches: Result[][] = [];
  const writer = createResultWriter(keepIn(batches), fail);
  writer.add(result("1"));
  writer.add(result("2"));
  assert.equal(await writer.flush(), true);
  assert.deepEqual(batches, [[result("1"), result("2")]]);
});

test("a thousand results are written without being asked for", async () => {
  const batches: Result[][] = [];
  const writer = createResultWriter(keepIn(batches), fail);
  for (let id = 0; id < 2500; id++) writer.add(result(`${id}`));
  await writer.flush();
  assert.deepEqual(batches.map(({ length }) => length), [1000, 1000, 500]);
});

test("of two results for one customer in a batch, the later counts", async () => {
  const batches: Result[][] = [];
  const writer = createResultWriter(keepIn(batches), fail);
  writer.add(result("1", "failed"));
  writer.add(result("1"));
  await writer.flush();
  assert.deepEqual(batches, [[result("1")]]);
});

test("a batch that cannot be written is told of, and the next is written", async () => {
  const errors: unknown[] = [];
  let isDown = true;
  let written = 0;
  const writer = createResultWriter(
    (batch) => {
      if (isDown) return Promise.reject(new Error("down"));
      written += batch.length;
      return Promise.resolve();
    },
    (error) => errors.push(error),
  );
  writer.add(result("1"));
  assert.equal(await writer.flush(), false);
  isDown = false;
  writer.add(result("1"));
  assert.equal(await writer.flush(), false, "what was lost is lost");
  assert.equal(errors.length, 1);
  assert.equal(written, 1);
});
