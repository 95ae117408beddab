import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { Logger } from "@logtape/logtape";
import {
  createResultWriter,
  type CustomersResult,
  type ResultWriter,
} from "../../src/console/resultWriter.ts";
import { DatabaseError } from "../../src/database/connection.ts";
import type { Unwritten } from "../../src/database/recordResults.ts";
import { explain } from "../../src/program/explain.ts";
import { closeLog } from "../../src/program/log.ts";
import { type JsonLine, openJsonLog } from "../support/jsonLog.ts";

let log: Logger;
let lines: JsonLine[];
let batches: CustomersResult[][];
let secrets: Set<string>;
let writer: ResultWriter;
/** What the database does with a batch: takes it when left out. */
let write: (batch: CustomersResult[]) => Partial<Unwritten<CustomersResult>>;

before(async () => {
  log = await openJsonLog((line) => lines.push(line));
});
after(() => closeLog());

beforeEach(() => {
  lines = [];
  batches = [];
  secrets = new Set();
  write = () => ({});
  writer = createResultWriter(async (batch) => {
    batches.push(batch);
    return { locked: [], refused: [], ...await write(batch) };
  }, { explain, secrets, log });
});

function result(id: string, error: string | null = null): CustomersResult {
  const syncedAt = error === null ? new Date("2026-11-24T06:00:00.123Z") : null;
  return {
    id,
    contextIdentifier: `Cust${id}`,
    systemUserToken: `App-${id}`,
    syncedAt,
    worked: null,
    error,
  };
}

test("results are gathered and written together", async () => {
  writer.add(result("1"));
  writer.add(result("2"));
  assert.equal(await writer.flush(), true);
  assert.deepEqual(batches, [[result("1"), result("2")]]);
});

test("a failure that comes before an earlier success is written does not undo it", async () => {
  const worked = { beganAt: new Date("2026-11-24T06:00:01Z"), resumed: false };
  writer.add({ ...result("1"), worked });
  writer.add(result("1", "The work script failed"));
  // Of another tenant, the row is another's.
  writer.add({ ...result("2"), worked });
  writer.add({ ...result("2", "Denied"), contextIdentifier: "Cust9" });
  await writer.flush();
  const { syncedAt } = result("1");
  assert.deepEqual(
    batches.flat().map(({ error, ...written }) => [error, written.syncedAt, written.worked]),
    [
      ["The work script failed", syncedAt, worked],
      ["Denied", null, null],
    ],
  );
});

test("a thousand results are written without being asked for", async () => {
  for (let id = 0; id < 2500; id++) writer.add(result(`${id}`));
  await writer.flush();
  assert.deepEqual(batches.map(({ length }) => length), [1000, 1000, 500]);
});

test("of two results for one customer in a batch, the later counts", async () => {
  writer.add(result("1", "failed"));
  writer.add(result("1"));
  await writer.flush();
  assert.deepEqual(batches, [[result("1")]]);
});

test("a batch that cannot be written is told of, and the next is written", async () => {
  write = () => {
    throw new DatabaseError("The database is down", "Start it.");
  };
  writer.add(result("1"));
  assert.equal(await writer.flush(), false);
  write = () => ({});
  writer.add(result("1"));
  assert.equal(await writer.flush(), false, "what was lost is lost");
  assert.equal(batches.length, 2);
  assert.deepEqual(lines.map(({ level, message }) => [level, message]), [[
    "error",
    "The results could not be written: The database is down. Start it. [DATABASE_TROUBLE]",
  ]]);
});

test("a row that is refused is told with its customer, and the others are written", async () => {
  const error = new DatabaseError("It violates a check", "Look at it.");
  write = ([first]) => ({ refused: [{ result: first!, error }] });
  writer.add(result("1"));
  writer.add(result("2"));
  assert.equal(await writer.flush(), false);
  assert.equal(batches.length, 1);
  assert.deepEqual(lines.map(({ customer, message }) => [customer, message]), [[
    "Cust1",
    "The result of Cust1 could not be written: It violates a check. Look at it. [DATABASE_TROUBLE]",
  ]]);
});

test("a row that is locked is tried again, and told when it is locked still", async () => {
  let timesLocked = 3;
  write = (batch) => ({ locked: timesLocked-- > 0 ? batch.filter(({ id }) => id === "1") : [] });
  writer.add(result("1"));
  writer.add(result("2"));
  assert.equal(await writer.flush(), true);
  assert.deepEqual(batches.map((batch) => batch.map(({ id }) => id)), [["1", "2"], ["1"], ["1"], [
    "1",
  ]]);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!.message, /^The result of Cust1 is not written yet, .*locked its row/);
});

test("what stays locked to the end is not written", async () => {
  write = (batch) => ({ locked: batch });
  writer.add(result("1"));
  assert.equal(await writer.flush(), false);
});

test("a later result takes the place of one whose row was locked", async () => {
  let isLocked = true;
  write = (batch) => {
    if (!isLocked) return {};
    isLocked = false;
    writer.add(result("1", "failed"));
    return { locked: batch };
  };
  writer.add(result("1"));
  assert.equal(await writer.flush(), true);
  const { syncedAt } = result("1");
  assert.deepEqual(batches, [[result("1")], [{ ...result("1", "failed"), syncedAt }]]);
});

test("a customer's token is hidden while its row is written, and while that is told", async () => {
  const hidden: boolean[] = [];
  write = () => {
    hidden.push(secrets.has("App-1"));
    throw new DatabaseError("It quotes App-1", "");
  };
  writer = createResultWriter(
    (batch) => Promise.resolve({ locked: [], refused: [], ...write(batch) }),
    {
      explain(error) {
        hidden.push(secrets.has("App-1"));
        return explain(error);
      },
      secrets,
      log,
    },
  );
  writer.add(result("1"));
  await writer.flush();
  assert.deepEqual(hidden, [true, true]);
  assert.deepEqual([...secrets], []);
});
