import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import type { Logger } from "@logtape/logtape";
import { createCallWriter } from "../../../src/console/requests/callWriter.ts";
import { DatabaseError } from "../../../src/database/connection.ts";
import { explain } from "../../../src/program/explain.ts";
import { closeLog } from "../../../src/program/log.ts";
import { type JsonLine, openJsonLog } from "../../support/jsonLog.ts";

let log: Logger;
let lines: JsonLine[];
let unwritten: Map<string, number>;
let written: [string, number][][];
/** What a write comes to. */
let outcome: () => Promise<DatabaseError | undefined>;
/** Lets five minutes pass. */
let tick: () => Promise<void>;

const trouble = new DatabaseError("The server is away", "Look at it.");

const realTimers = [globalThis.setInterval, globalThis.clearInterval] as const;

before(async () => {
  log = await openJsonLog((line) => lines.push(line));
});
after(() => closeLog());
beforeEach(() => {
  lines = [];
  written = [];
  unwritten = new Map();
  outcome = () => Promise.resolve(undefined);
  globalThis.setInterval = ((happen: () => Promise<void>, ms: number) => {
    assert.equal(ms, 300_000);
    return tick = happen;
  }) as unknown as typeof setInterval;
  globalThis.clearInterval = (() => tick = () => Promise.resolve()) as typeof clearInterval;
});
afterEach(() => [globalThis.setInterval, globalThis.clearInterval] = realTimers);

function createWriter() {
  return createCallWriter(
    { unwritten },
    (calls) => {
      written.push(calls);
      return outcome();
    },
    { explain, log },
  );
}

const count = (customers: number) => {
  for (let id = 1; id <= customers; id++) unwritten.set(`Cust${id}`, id);
};

test("calls are written every five minutes and at the end, a thousand customers at once", async () => {
  const writer = createWriter();
  await tick();
  assert.equal(written.length, 0);
  count(2500);
  await tick();
  assert.deepEqual(written.map(({ length }) => length), [1000, 1000, 500]);
  assert.deepEqual(written[0]!.slice(0, 2), [["Cust1", 1], ["Cust2", 2]]);
  count(1);
  await writer.flush();
  assert.deepEqual(written.at(-1), [["Cust1", 1]]);
  assert.equal(unwritten.size, 0);
  assert.deepEqual(lines, []);
});

test("what could not be written is kept, with what came meanwhile, and said once until it is over", async () => {
  const writer = createWriter();
  count(1500);
  outcome = async () => {
    count(1);
    return written.length < 2 ? undefined : await Promise.reject(trouble);
  };
  await tick();
  assert.equal(unwritten.size, 501);
  assert.deepEqual([unwritten.get("Cust1"), unwritten.get("Cust1500")], [1, 1500]);
  await tick();
  assert.equal(lines.length, 1);
  assert.match(
    lines[0]!.message,
    /^The calls made could not be written yet.*server is away\. Look/,
  );
  outcome = () => Promise.resolve(undefined);
  await writer.flush();
  assert.equal(unwritten.size, 0);
  assert.equal(lines.length, 1);
});

test("without the table the calls are not kept, which is said once with the remedy", async () => {
  const writer = createWriter();
  outcome = () => Promise.resolve(new DatabaseError("There is no table calls", "Make it."));
  for (let times = 0; times < 3; times++) {
    count(1500);
    await tick();
    assert.equal(unwritten.size, 0);
  }
  assert.equal(written.length, 3);
  assert.deepEqual(lines.map(({ level, message }) => [level, message]), [[
    "warning",
    "The calls made are not kept, so that customers list does not show them: There is no table calls. Make it. " +
    "[DATABASE_TROUBLE]",
  ]]);
  await writer.flush();
});
