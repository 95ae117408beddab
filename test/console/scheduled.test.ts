import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import fc from "fast-check";
import { createMemory, type Memory } from "../../src/console/memory.ts";
import { nextMoment } from "../../src/console/schedule.ts";
import { scheduled } from "../../src/console/scheduled.ts";
import type { Customer } from "../../src/database/loadCustomers.ts";
import { NetworkError, RevokedError } from "../../src/superoffice/errors.ts";
import { property } from "../support/property.ts";

const POLL = 2000;
const INTERVAL = 30_000;
const NOW = Date.parse("2026-01-02T03:04:05Z");

let clock: number;
/** How many milliseconds the database's clock is ahead of that. */
let aheadMs: number;
let stop: AbortController;
let memory: Memory;
let customers: Customer[];
/** Who fails, and with what. */
let troubles: Map<string, Error>;
/** Who is not done when it was called. */
let held: Set<string>;

beforeEach(() => {
  clock = 1_000_000;
  aheadMs = NOW - clock;
  customers = makeCustomers(60);
  troubles = new Map();
  held = new Set();
  start();
});
afterEach(() => stop.abort());

/** Starts a process. */
function start(): void {
  stop = new AbortController();
  const monotonicMs = () => clock;
  const usual = createMemory(POLL, 30_000, "login.example", monotonicMs);
  memory = scheduled(usual, { pollMs: POLL, tenantMs: INTERVAL }, stop.signal, monotonicMs);
}

function makeCustomers(count: number): Customer[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${index + 1}`,
    contextIdentifier: `Cust${index + 1}`,
    systemUserToken: `App-${index + 1}`,
    lastSync: new Date(NOW - 3600_000),
    lastWork: null,
    hasError: false,
    databaseAheadMs: 0,
  }));
}

/** What a poll does with each customer. */
interface Polled {
  atOnce: string[];
  atMoment: string[];
  notDue: string[];
  leftOut: string[];
}

/** A poll in which each is called, and done at once. */
function poll({ read = Infinity } = {}): Polled {
  const polled: Polled = { atOnce: [], atMoment: [], notDue: [], leftOut: [] };
  const roll = memory.callRoll();
  for (const row of customers.slice(0, read)) {
    const customer = { ...row, databaseAheadMs: aheadMs };
    roll.isHere(customer);
    const moment = memory.momentOf(customer);
    if (moment === "notDue") polled.notDue.push(row.id);
    else if (memory.take(customer) !== "taken") polled.leftOut.push(row.id);
    else {
      polled[moment === undefined ? "atOnce" : "atMoment"].push(row.id);
      if (!held.has(row.id)) finish(customer);
    }
  }
  if (read >= customers.length) roll.complete();
  return polled;
}

function finish(customer: Customer): void {
  const trouble = troubles.get(customer.id);
  if (trouble === undefined) memory.succeeded(customer);
  else memory.failed(customer, trouble, clock);
  memory.giveBack(customer, true);
}

/** Polls for so long; gives who was called, as often as it was. */
function pollFor(ms: number): string[] {
  const called: string[] = [];
  for (const end = clock + ms; clock < end; clock += POLL) {
    const { atOnce, atMoment } = poll();
    called.push(...atOnce, ...atMoment);
  }
  return called;
}

const idsOf = (some: Customer[]) => some.map(({ id }) => id);
const sorted = (ids: string[]) => ids.toSorted((one, other) => Number(one) - Number(other));

/** One that is not due for two polls. */
function someoneNotDue(): Customer {
  const from = aheadMs + clock;
  return customers.find(({ id }) => nextMoment(id, from, INTERVAL) > from + 3 * POLL)!;
}

describe("customers whose interval is longer than a poll's", () => {
  test("are called once in each, at their moments, also after a restart", () => {
    assert.deepEqual(sorted(pollFor(INTERVAL)), idsOf(customers));
    assert.deepEqual(sorted(pollFor(INTERVAL)), idsOf(customers));
    start();
    const { atOnce, atMoment, notDue } = poll();
    assert.deepEqual([atOnce, atMoment.length + notDue.length], [[], 60]);
    assert.ok(atMoment.length >= 3 && atMoment.length <= 5, `${atMoment.length}`);
  });

  test("have the same moments on another console, whose own clock is another", () => {
    const here = poll();
    clock += 777_777;
    aheadMs -= 777_777;
    start();
    assert.deepEqual(poll(), here);
  });

  const lateness = fc.array(fc.integer({ min: 0, max: INTERVAL - 2 * POLL }), { maxLength: 40 });
  property("lose no moment and have none twice, however late polls are", lateness, (lates) => {
    start();
    const fromMs = aheadMs + clock;
    const counts = new Map<string, number>();
    for (const late of lates) {
      const { atOnce, atMoment } = poll();
      for (const id of [...atOnce, ...atMoment]) counts.set(id, (counts.get(id) ?? 0) + 1);
      clock += POLL + late;
    }
    const { atOnce, atMoment } = poll();
    for (const id of [...atOnce, ...atMoment]) counts.set(id, (counts.get(id) ?? 0) + 1);
    const untilMs = aheadMs + clock + POLL;
    for (const { id } of customers) {
      const first = nextMoment(id, fromMs, INTERVAL);
      const expected = Math.max(0, Math.ceil((untilMs - first) / INTERVAL));
      assert.equal(counts.get(id) ?? 0, expected, id);
    }
    stop.abort();
  });

  test("lose no moment where the database broke off a poll", () => {
    poll();
    const called: string[] = [];
    for (const end = clock + INTERVAL; clock < end;) {
      clock += POLL;
      const { atOnce, atMoment } = poll({ read: clock % (2 * POLL) === 0 ? 30 : Infinity });
      called.push(...atOnce, ...atMoment);
    }
    clock += POLL;
    assert.deepEqual(sorted([...new Set([...called, ...poll().atOnce])]), idsOf(customers));
    assert.ok(called.length <= 60);
  });

  test("are called again within their interval where the database's clock was set back", () => {
    pollFor(INTERVAL);
    aheadMs -= 3600_000;
    assert.deepEqual(sorted([...new Set(pollFor(INTERVAL + POLL))]), idsOf(customers));
  });
});

describe("at the start", () => {
  test("ten that were never logged on to are called at once, and that stands for their interval's call", () => {
    for (const customer of customers) customer.lastSync = null;
    const { atOnce, atMoment } = poll();
    assert.deepEqual(atOnce, idsOf(customers).slice(0, 10));
    clock += POLL;
    const called = pollFor(2 * INTERVAL - POLL);
    // Each twice in two intervals, these ten included.
    assert.equal(atOnce.length + atMoment.length + called.length, 2 * 60);
  });

  test("nobody is new in a poll after one that was broken off", () => {
    poll({ read: 20 });
    clock += POLL;
    assert.deepEqual(poll().atOnce, []);
  });
});

describe("a customer is called at once", () => {
  beforeEach(() => {
    poll();
    clock += POLL;
  });

  test("when it is new, or active again", () => {
    const customer = someoneNotDue();
    const all = customers;
    customers = all.filter((other) => other !== customer);
    poll();
    clock += POLL;
    customers = all;
    assert.deepEqual(poll().atOnce, [customer.id]);
    clock += POLL;
    assert.deepEqual(poll().atOnce, []);
  });

  for (const column of ["contextIdentifier", "systemUserToken"] as const) {
    test(`when its ${column} changed`, () => {
      const customer = someoneNotDue();
      customer[column] += "1";
      assert.deepEqual(poll().atOnce, [customer.id]);
      clock += POLL;
      assert.deepEqual(poll().atOnce, []);
    });
  }

  test("when somebody cleared the error that it had before the start", () => {
    customers.forEach((customer) => customer.hasError = true);
    start();
    poll();
    clock += POLL;
    const customer = someoneNotDue();
    customer.hasError = false;
    assert.deepEqual(poll().atOnce, [customer.id]);
    clock += POLL;
    assert.deepEqual(poll().atOnce, []);
  });

  test("but not when the console itself cleared its error", () => {
    customers.forEach((customer) => customer.hasError = true);
    start();
    const { atMoment } = poll();
    assert.ok(atMoment.length > 0);
    for (const customer of customers) customer.hasError = !atMoment.includes(customer.id);
    clock += POLL;
    assert.deepEqual(poll().atOnce, []);
  });
});

describe("a customer is called at the next poll", () => {
  test("as long as it fails, and at its moments again when it got through", () => {
    const [id = ""] = poll().atMoment;
    start();
    troubles.set(id, new NetworkError("reset"));
    poll();
    for (let polls = 0; polls < 3; polls++) {
      clock += POLL;
      assert.deepEqual(poll().atOnce, [id]);
    }
    troubles.clear();
    clock += POLL;
    assert.deepEqual(poll().atOnce, [id]);
    clock += POLL;
    assert.deepEqual(poll().atOnce, []);
  });

  test("when something fails that its work left behind", () => {
    const [id = ""] = poll().atMoment;
    memory.failed(customers[Number(id) - 1]!, new NetworkError("reset"), clock);
    clock += POLL;
    assert.deepEqual(poll().atOnce, [id]);
  });

  test("not because it is still in hand from the last one", () => {
    const [id = ""] = poll().atMoment;
    start();
    held.add(id);
    poll();
    clock += POLL;
    assert.ok(poll().notDue.includes(id));
    finish(customers[Number(id) - 1]!);
    clock += POLL;
    assert.ok(poll().notDue.includes(id));
  });

  test("after it was in hand at its moment", () => {
    const [id = ""] = poll().atMoment;
    start();
    held.add(id);
    poll();
    const leftOut: string[] = [];
    for (const end = clock + INTERVAL; clock < end;) {
      clock += POLL;
      leftOut.push(...poll().leftOut);
    }
    assert.deepEqual(new Set(leftOut), new Set([id]));
    held.clear();
    finish(customers[Number(id) - 1]!);
    clock += POLL;
    assert.deepEqual(poll().atOnce, [id]);
    clock += POLL;
    assert.deepEqual(poll().atOnce, []);
  });

  test("that waiting for longer each time allows, when it was refused", () => {
    const [id = ""] = poll().atMoment;
    start();
    troubles.set(id, new RevokedError("Revoked"));
    poll();
    const calls: number[] = [];
    for (let polls = 1; polls <= 7; polls++) {
      clock += POLL;
      const { atOnce, leftOut } = poll();
      assert.ok([...atOnce, ...leftOut].includes(id));
      if (atOnce.includes(id)) calls.push(polls);
    }
    assert.deepEqual(calls, [2, 6]);
  });
});

test("who waits for its moment is let go at a stop", async () => {
  const customer = { ...someoneNotDue(), databaseAheadMs: aheadMs };
  clock = nextMoment(customer.id, aheadMs + clock, INTERVAL) - aheadMs - POLL + 1;
  memory.callRoll();
  const moment = memory.momentOf(customer);
  assert.ok(moment instanceof Promise);
  stop.abort();
  await moment;
});
