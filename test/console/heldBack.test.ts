import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Logger } from "@logtape/logtape";
import { SharedTroubleError, StoppedError } from "../../src/console/errors.ts";
import { heldBack } from "../../src/console/heldBack.ts";
import { createMemory } from "../../src/console/memory.ts";
import { createPoll } from "../../src/console/poll.ts";
import type { CustomersResult } from "../../src/console/resultWriter.ts";
import { createTurns } from "../../src/console/turns/turns.ts";
import { createVisit } from "../../src/console/visit.ts";
import type { Customer } from "../../src/database/loadCustomers.ts";
import { explain } from "../../src/program/explain.ts";
import { closeLog } from "../../src/program/log.ts";
import {
  DeniedError,
  NetworkError,
  RequestTimeoutError,
  RevokedError,
} from "../../src/superoffice/errors.ts";
import type { Tenant } from "../../src/superoffice/tenant.ts";
import { type JsonLine, openJsonLog } from "../support/jsonLog.ts";

const POLL_MS = 15_000;
const MOST_TRIES = 10;

let log: Logger;
let lines: JsonLine[];
let clock: number;
let customers: Customer[];
/** What the login host refuses each with, by number; all others get through. */
let refuse: (number: number) => Error | undefined;
let tried: number[];
/** Whose ticket is kept, by number. */
let keeping: Set<number>;
let triedAtOnce: number;
let mostTriedAtOnce: number;
let recorded: CustomersResult[];
let giveUp: AbortController;
let poll: () => Promise<{ loggedOn: number; failed: number; heldBack: number; waiting: number }>;

before(async () => {
  log = await openJsonLog((line) => {
    if (line.level !== "debug") lines.push(line);
  });
});
after(() => closeLog());

beforeEach(() => {
  lines = [];
  tried = [];
  keeping = new Set();
  recorded = [];
  clock = 1_000_000;
  triedAtOnce = mostTriedAtOnce = 0;
  giveUp = new AbortController();
  refuse = () => undefined;
  customers = makeCustomers(1000);
  setUp(32);
});

function makeCustomers(count: number): Customer[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${index + 1}`,
    contextIdentifier: `Cust${index + 1}`,
    systemUserToken: `App-${index + 1}`,
    lastSync: null,
    lastWork: null,
    hasError: false,
    databaseAheadMs: 0,
  }));
}

function setUp(concurrency: number): void {
  const monotonicMs = () => clock;
  const turns = createTurns(concurrency);
  const means = { pollMs: POLL_MS, monotonicMs, aside: turns.aside };
  const { step, witnessed, takeNews } = heldBack(exchange, means, giveUp.signal, log);
  const getTicket = witnessed(async (tenant) =>
    keeping.has(numberOf(tenant)) ? "7T:kept" : await step(tenant)
  );
  const memory = createMemory(POLL_MS, 30_000, "login.example", monotonicMs);
  const around = { memory, secrets: new Set<string>(), telemetry: undefined, log };
  const record = (result: CustomersResult) => recorded.push(result);
  const visit = createVisit({ logOn, work: undefined, record, explain, monotonicMs }, around);
  const takeCalls = () => 0;
  const progress = undefined;
  const settle = () => Promise.resolve();
  const takeChange = () => undefined;
  const parts = { visit, takeNews, takeCalls, takeChange, settle, progress };
  const takeAll = createPoll(
    parts,
    turns,
    { ...around, explain, monotonicMs },
    giveUp.signal,
  );
  poll = async () => {
    tried = [];
    lines = [];
    mostTriedAtOnce = 0;
    clock += POLL_MS;
    return await (await takeAll(loadCustomers())).done;
  };

  async function logOn(tenant: Tenant) {
    const ticket = await getTicket(tenant);
    const principal = { associate: "A", associateId: 1, fullName: null, userType: null };
    return { principal, api: "https://online3.superoffice.com/api", ticket };
  }
}

async function* loadCustomers() {
  yield await Promise.resolve(customers);
}

function numberOf({ contextIdentifier }: { contextIdentifier: string }): number {
  return Number(contextIdentifier.slice("Cust".length));
}

async function exchange({ contextIdentifier }: Tenant): Promise<string> {
  const number = numberOf({ contextIdentifier });
  tried.push(number);
  mostTriedAtOnce = Math.max(mostTriedAtOnce, ++triedAtOnce);
  await new Promise((resolve) => setImmediate(resolve));
  triedAtOnce--;
  const error = refuse(number);
  if (error !== undefined) throw error;
  return `7T:${number}`;
}

const warnings = () => lines.filter(({ level }) => level === "warning");
const errorsRecorded = () => recorded.filter(({ error }) => error !== null).map(({ id }) => id);

describe("a secret that SuperOffice refuses for 1,000 customers", () => {
  beforeEach(() => {
    refuse = () => new DeniedError("The exchange was refused: Denied");
  });

  test("is said once: what, how many wait, what to do; and no row is written to", async () => {
    const { loggedOn, failed, heldBack } = await poll();
    assert.deepEqual([loggedOn, failed + heldBack], [0, 1000]);
    assert.equal(lines.length, 2, "one warning and the summary");
    const [{ message = "" } = {}] = warnings();
    assert.match(message, /it is the application or its settings.*1000 customers wait/);
    assert.match(message, /Denied.*SUPEROFFICE_CLIENT_SECRET.*\[ACCESS_DENIED\]$/);
    assert.match(lines.at(-1)!.message, /\d+ failed, \d+ held back since all are refused$/);
    await poll();
    assert.equal(lines.length, 1, "the summary alone");
    assert.deepEqual(recorded, []);
  });

  test("is tried again by some customers at each poll, one at a time, and not by the same", async () => {
    await poll();
    await poll();
    const before = new Set(tried);
    assert.equal(tried.length, MOST_TRIES);
    assert.equal(mostTriedAtOnce, 1);
    await poll();
    assert.equal(tried.length, MOST_TRIES);
    assert.ok(tried.some((number) => !before.has(number)));
  });

  test("is over for all in the poll in which the first gets through, and that is said", async () => {
    await poll();
    await poll();
    refuse = () => undefined;
    assert.equal((await poll()).loggedOn, 1000);
    assert.match(lines[0]!.message, /get through again/);
    assert.deepEqual(warnings(), []);
  });

  test("leaves nobody waiting who was refused alone before", async () => {
    const [one, ...others] = makeCustomers(5);
    customers = [one!];
    await poll();
    assert.deepEqual(errorsRecorded(), ["1"], "one customer is not several");
    for (let times = 0; times < 20; times++) await poll();
    customers = [one!, ...others];
    await poll();
    refuse = () => undefined;
    const summary = await poll();
    assert.equal(summary.loggedOn + summary.waiting, 5);
    assert.equal((await poll()).loggedOn, 5);
  });

  test("that is met by one customer again and again is that customer's", async () => {
    customers = makeCustomers(1);
    const { step, takeNews } = heldBack(
      exchange,
      { pollMs: POLL_MS, monotonicMs: () => clock, aside: createTurns(32).aside },
      giveUp.signal,
      log,
    );
    for (let times = 0; times < 6; times++) await assert.rejects(step(customers[0]!), DeniedError);
    assert.equal(takeNews(), undefined);
  });

  test("that changes its cause is said anew", async () => {
    await poll();
    refuse = () => new NetworkError("login.example could not be reached");
    await poll();
    assert.match(warnings()[0]!.message, /could not be reached.*\[NETWORK_FAILED\]$/);
  });

  test("ends the waiting when the console gives up", async () => {
    refuse = () => {
      if (tried.length === 40) giveUp.abort(new StoppedError("The console stops"));
      return new DeniedError("Denied");
    };
    const { givenUp, heldBack } = await poll() as unknown as Record<string, number>;
    assert.ok(tried.length < 100);
    assert.equal(heldBack, 0, "who waited was given up");
    assert.ok(givenUp! > 0);
  });
});

test("a login host that answers sometimes so, sometimes so, or not at all, is one trouble", async () => {
  const kinds = [
    () => new NetworkError("reset"),
    () => new RequestTimeoutError("silent", "login.example"),
  ];
  refuse = (number) => kinds[number % 2]!();
  await poll();
  assert.equal(warnings().length, 1);
});

test("what is refused hours apart is not in a row", async () => {
  for (const [id, hour] of [["1", 0], ["2", 1], ["3", 2], ["4", 3]] as const) {
    clock += hour * 3_600_000;
    refuse = () => new DeniedError("Denied");
    customers = makeCustomers(4).filter((customer) => customer.id === id);
    await poll();
  }
  assert.deepEqual(errorsRecorded(), ["1", "2", "3", "4"]);
});

test("two troubles in turn, where nobody gets through, are no reason to tell each customer", async () => {
  const kinds = [() => new NetworkError("reset"), () => new DeniedError("Denied")];
  refuse = (number) => kinds[number % 2]!();
  await poll();
  await poll();
  assert.ok(lines.length <= 5, `${lines.length} lines`);
  assert.deepEqual(recorded, []);
});

test("few customers are tried all at each poll, so that none waits for another's trouble", async () => {
  customers = makeCustomers(6);
  const denied = new Set([1, 2, 3, 4, 5, 6]);
  refuse = (number) => denied.has(number) ? new DeniedError("Denied") : undefined;
  await poll();
  denied.delete(6);
  assert.equal((await poll()).loggedOn, 1);
  assert.ok(tried.includes(6));
});

describe("where others log on with tickets that are kept", () => {
  const isNew = (number: number) => number > 20;
  const aboutAll = () => warnings().filter(({ customer }) => customer === undefined);

  beforeEach(() => {
    customers = makeCustomers(20);
    keeping = new Set(customers.map(numberOf));
  });

  test("new customers that are all refused are told and recorded alone, and left alone for longer each time", async () => {
    await poll();
    customers = makeCustomers(40);
    refuse = (number) => isNew(number) ? new DeniedError("Denied") : undefined;
    assert.equal((await poll()).failed, 20);
    assert.deepEqual(aboutAll(), []);
    assert.equal(new Set(errorsRecorded()).size, 20);
    assert.equal(
      tried.filter((number) => !isNew(number)).length,
      1,
      "one shows that it is not all",
    );
    assert.equal((await poll()).waiting, 20);
    assert.deepEqual(tried, [], "nobody is tried for them any more");
  });

  test("a new customer among 200 that are refused gets in at once", async () => {
    await poll();
    customers = makeCustomers(221);
    refuse = (number) => isNew(number) && number < 221 ? new DeniedError("Denied") : undefined;
    const { loggedOn, failed, heldBack } = await poll();
    assert.deepEqual([loggedOn, failed, heldBack], [21, 200, 0]);
  });

  test("a secret that is refused to one of them, too, is everybody's trouble", async () => {
    await poll();
    customers = makeCustomers(40);
    refuse = () => new DeniedError("Denied");
    const { loggedOn, failed, heldBack } = await poll();
    assert.deepEqual([loggedOn, failed + heldBack], [20, 20]);
    assert.equal(aboutAll().length, 1);
    assert.match(aboutAll()[0]!.message, / 20 customers wait/);
    assert.deepEqual(errorsRecorded(), []);
    refuse = () => undefined;
    assert.equal((await poll()).loggedOn, 40);
  });

  test("who is active no more is not tried for the others", async () => {
    await poll();
    customers = makeCustomers(40).slice(20);
    clock += POLL_MS;
    refuse = (number) => isNew(number) ? new DeniedError("Denied") : undefined;
    await poll();
    assert.ok(tried.every(isNew));
  });
});

describe("where somebody gets through", () => {
  test("each who does not is told and recorded alone, and left alone for longer each time", async () => {
    customers = makeCustomers(100);
    refuse = (number) => number % 2 === 0 ? new DeniedError("Denied") : undefined;
    const { loggedOn, failed, heldBack } = await poll();
    assert.deepEqual([loggedOn, failed, heldBack], [50, 50, 0]);
    assert.equal(warnings().length, 50);
    assert.equal(errorsRecorded().length, 50);
    assert.equal((await poll()).waiting, 50);
  });

  test("many that are refused before the first gets through hold it up by a poll at most", async () => {
    refuse = (number) => number <= 500 ? new DeniedError("Denied") : undefined;
    const first = await poll();
    const second = await poll();
    assert.equal(Math.max(first.loggedOn, second.loggedOn), 500);
    assert.equal(new Set(errorsRecorded()).size, 500);
  });

  test("those that were refused alone are no sign of a trouble that all share", async () => {
    customers = makeCustomers(20);
    refuse = (number) => number <= 10 ? new DeniedError("Denied") : undefined;
    await poll();
    for (let times = 0; times < 3; times++) {
      customers = makeCustomers(10);
      await poll();
      assert.ok(warnings().every(({ customer }) => customer !== undefined));
    }
    assert.equal(warnings().length > 0, tried.length > 0);
  });
});

test("what is a customer's own, such as a withdrawn approval, is never everybody's", async () => {
  customers = makeCustomers(50);
  refuse = () => new RevokedError("The exchange was refused: Revoked");
  assert.equal((await poll()).failed, 50);
  assert.equal(errorsRecorded().length, 50);
});

test("a customer that waits lets others have its turn", async () => {
  const turns = createTurns(1);
  const means = { pollMs: POLL_MS, monotonicMs: () => clock, aside: turns.aside };
  let answer = (_error: Error): void => {};
  const { step } = heldBack(
    (_tenant: { contextIdentifier: string }) => new Promise<string>((_, reject) => answer = reject),
    means,
    giveUp.signal,
    log,
  );
  const results: Promise<unknown>[] = [];
  for (const contextIdentifier of ["a", "b", "c"]) {
    // Each has the one turn, fails, and waits to hear whose failure it was.
    const turn = await turns.take(contextIdentifier, false);
    results.push(step({ contextIdentifier }).catch((error) => error).finally(() => turn.end()));
    answer(new DeniedError("Denied"));
  }
  const errors = await Promise.all(results);
  assert.ok(errors[2] instanceof SharedTroubleError);
});

test("a customer for whom the login host is silent keeps the others from hearing whose trouble it is for a moment only", async () => {
  const means = { pollMs: POLL_MS, monotonicMs: () => clock, aside: createTurns(32).aside };
  let isWell = false;
  let answer = (_ticket: string): void => {};
  const silent = new Promise<string>((resolve) => answer = resolve);
  const { step } = heldBack(
    ({ contextIdentifier }: { contextIdentifier: string }) =>
      contextIdentifier === "silent"
        ? silent
        : isWell
        ? Promise.resolve("7T")
        : Promise.reject(new DeniedError("Denied")),
    means,
    giveUp.signal,
    log,
  );
  const waiting = step({ contextIdentifier: "silent" });
  const others = ["a", "b", "c", "d"].map((contextIdentifier) => step({ contextIdentifier }));
  for (const { reason } of await Promise.allSettled(others) as PromiseRejectedResult[]) {
    assert.ok(reason instanceof SharedTroubleError);
  }
  // It hangs again, and all others are well by now.
  isWell = true;
  const again = step({ contextIdentifier: "silent" });
  clock += POLL_MS;
  const well = ["a", "b", "c", "d"].map((contextIdentifier) => step({ contextIdentifier }));
  assert.deepEqual(await Promise.all(well), ["7T", "7T", "7T", "7T"]);
  answer("7T:late");
  assert.deepEqual(await Promise.all([waiting, again]), ["7T:late", "7T:late"]);
});
