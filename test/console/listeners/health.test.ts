import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { IncomingMessage } from "node:http";
import type { Customer } from "../../../src/database/loadCustomers.ts";
import { createHealth, type Health } from "../../../src/console/listeners/health.ts";
import { createMemory, type Memory } from "../../../src/console/memory.ts";
import type { PollSummary } from "../../../src/console/pollSummary.ts";

const POLL_MS = 15_000;
/** Three beats, a request's time, and the database's. */
const LIMIT_MS = 3 * POLL_MS + 30_000 + 10_000;
const CUSTOMER: Customer = {
  id: "1",
  contextIdentifier: "Cust10001",
  systemUserToken: "token",
  lastSync: null,
  lastWork: null,
  hasError: false,
  databaseAheadMs: 0,
};

let now: number;
let health: Health;
let memory: Memory;

beforeEach(() => {
  now = 1_000_000;
  health = createHealth(POLL_MS, 30_000, () => now);
  memory = health.watching(createMemory(POLL_MS, 30_000, "host", () => now));
});

async function ask(path: string): Promise<{ status: number; text: string }> {
  const route = health.routes.find((route) => route.path === path)!;
  return await route.answer({} as IncomingMessage);
}
const statusOf = async (path: string) => (await ask(path)).status;

/** Begins a poll; gives what ends it. */
async function begin(): Promise<(complete: boolean) => Promise<void>> {
  let end = (_: PollSummary) => {};
  const done = new Promise<PollSummary>((resolve) => end = resolve);
  await health.watched(() => Promise.resolve({ done }))();
  return async (complete) => {
    end({ complete } as PollSummary);
    await done;
  };
}

async function completePoll(): Promise<void> {
  const end = await begin();
  memory.callRoll().complete();
  await end(true);
}

describe("the console lives", () => {
  test("from its start, while polls begin, and not when none does any more", async () => {
    assert.equal(await statusOf("/livez"), 200);
    for (let polls = 0; polls < 10; polls++) {
      now += LIMIT_MS;
      assert.equal(await statusOf("/livez"), 200);
      await begin();
    }
    now += LIMIT_MS + 1;
    assert.deepEqual(await ask("/livez"), {
      status: 503,
      text: "stuck: it last began something 85 s ago",
    });
  });

  test("as long as customers of one long poll are begun or finished", async () => {
    await begin();
    now += LIMIT_MS;
    memory.take(CUSTOMER);
    now += LIMIT_MS;
    assert.equal(await statusOf("/livez"), 200);
    memory.giveBack(CUSTOMER, true);
    now += LIMIT_MS;
    assert.equal(await statusOf("/livez"), 200);
  });

  test("whatever becomes of the database", async () => {
    const end = await begin();
    await end(false);
    assert.equal(await statusOf("/livez"), 200);
    assert.equal(await statusOf("/readyz"), 503);
  });
});

describe("the console is ready", () => {
  test("when a first poll is done with all customers, and not before", async () => {
    assert.match((await ask("/readyz")).text, /^not ready: the database has not given all/);
    const end = await begin();
    const roll = memory.callRoll();
    roll.isHere(CUSTOMER);
    assert.match((await ask("/readyz")).text, /has not given all/);
    roll.complete();
    assert.match((await ask("/readyz")).text, /the first poll is not done yet/);
    await end(true);
    assert.deepEqual(await ask("/readyz"), {
      status: 200,
      text: "ready: the database last gave customers 0 s ago",
    });
  });

  test("no more when the database gives no customers, and again when it does", async () => {
    await completePoll();
    now += LIMIT_MS;
    assert.equal(await statusOf("/readyz"), 200);
    now += 1000;
    assert.match((await ask("/readyz")).text, /^not ready: the database last gave customers 86 s/);
    memory.callRoll().isHere(CUSTOMER);
    assert.equal(await statusOf("/readyz"), 200);
  });
});
