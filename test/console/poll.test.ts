import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Logger } from "@logtape/logtape";
import {
  BusyError,
  DeniedError,
  ExchangeRefusedError,
  InvalidSignatureError,
  InvalidTimestampError,
  JwtInvalidError,
  NeedsReapprovalError,
  NetworkError,
  RequestTimeoutError,
  RevokedError,
  SigningError,
  TenantNotRunningError,
} from "../../src/superoffice/errors.ts";
import { DatabaseError } from "../../src/database/connection.ts";
import { StoppedError, WorkError } from "../../src/console/errors.ts";
import type { Customer } from "../../src/database/loadCustomers.ts";
import { closeLog } from "../../src/program/log.ts";
import type { Tenant } from "../../src/superoffice/tenant.ts";
import type { LoggedOn } from "../../src/superoffice/logOn.ts";
import { createMemory, type Memory } from "../../src/console/memory.ts";
import { openAlone } from "../../src/console/alone.ts";
import { createPoll, type Poll } from "../../src/console/poll.ts";
import { createTurns } from "../../src/console/turns/turns.ts";
import { createVisit, type RunWork } from "../../src/console/visit.ts";
import { explain } from "../../src/program/explain.ts";
import type { CustomersResult } from "../../src/console/resultWriter.ts";
import { type JsonLine, openJsonLog } from "../support/jsonLog.ts";

const POLL = 15_000;
const TIMEOUT = 30_000;
const NOW = new Date("2026-01-02T03:04:05Z");
const START_MS = 1_000_000;
const LOGIN_HOST = "login.example";

let log: Logger;
let lines: JsonLine[];
let recorded: CustomersResult[];
let clock: number;
let stop: AbortController;
let loadCustomers: () => AsyncIterable<Customer[]>;
let secrets: Set<string>;
let memory: Memory;
let takeAll: Poll;
/** What logging on to a customer does: nothing when left out. */
let deeds: Map<string, () => Promise<void>>;
/** When customers are due: at once when left out. */
let moments: Map<string, Promise<void> | "notDue">;
/** The ids in the order in which they were worked on. */
let worked: string[];
let customers: Customer[];
/** The calls since a poll was done. */
let calls: number;
let working: number;
let mostWorking: number;

before(async () => {
  log = await openJsonLog((line) => lines.push(line));
});
after(() => closeLog());

beforeEach(() => {
  lines = [];
  recorded = [];
  worked = [];
  deeds = new Map();
  moments = new Map();
  customers = makeCustomers(3);
  clock = START_MS;
  calls = 0;
  working = 0;
  mostWorking = 0;
  stop = new AbortController();
  setUp(4);
});

function setUp(concurrency: number, work?: RunWork): void {
  loadCustomers = loadAll;
  secrets = new Set();
  const usual = createMemory(POLL, TIMEOUT, LOGIN_HOST, () => clock);
  memory = { ...usual, momentOf: ({ id }) => moments.get(id) };
  const around = { memory, secrets, telemetry: undefined, log };
  const record = (result: CustomersResult) => recorded.push(result);
  const monotonicMs = () => clock;
  const visit = createVisit({ logOn, work, record, explain, monotonicMs }, around);
  const takeNews = () => undefined;
  const takeCalls = () => {
    const taken = calls;
    calls = 0;
    return taken;
  };
  const progress = undefined;
  const settle = () => Promise.resolve();
  const takeChange = () => undefined;
  const parts = { visit, takeNews, takeCalls, takeChange, settle, progress };
  takeAll = createPoll(
    parts,
    createTurns(concurrency),
    { ...around, explain, monotonicMs },
    stop.signal,
  );
}

async function* loadAll() {
  yield await Promise.resolve(customers);
}

function makeCustomers(count: number, firstId = 1): Customer[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${firstId + index}`,
    contextIdentifier: `Cust${firstId + index}`,
    systemUserToken: `App-${firstId + index}`,
    lastSync: null,
    lastWork: null,
    hasError: false,
    databaseAheadMs: NOW.getTime() - START_MS,
  }));
}

function result(id: string, syncedAt: Date | null, error: string | null): CustomersResult {
  return {
    id,
    contextIdentifier: `Cust${id}`,
    systemUserToken: `App-${id}`,
    syncedAt,
    worked: null,
    error,
  };
}

async function logOn({ contextIdentifier }: Tenant): Promise<LoggedOn> {
  const id = contextIdentifier.slice("Cust".length);
  worked.push(id);
  mostWorking = Math.max(mostWorking, ++working);
  try {
    await deeds.get(id)?.();
    return {
      principal: {
        associate: `Associate ${id}`,
        associateId: Number(id),
        fullName: null,
        userType: null,
      },
      api: `https://online3.superoffice.com/Cust${id}/api`,
      ticket: `7T:${id}`,
    };
  } finally {
    working--;
  }
}

const fails = (id: string, error: unknown) => deeds.set(id, () => Promise.reject(error));

/** Work that goes on until its gate opens. */
function holds(id: string): () => void {
  let open = () => {};
  const opened = new Promise<void>((resolve) => open = resolve);
  deeds.set(id, () => opened);
  return open;
}

/** Lets everything that is due at once happen. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function poll() {
  return await (await takeAll(loadCustomers())).done;
}

const idsOf = (customers: Customer[]) => customers.map(({ id }) => id);

const nothing = {
  loggedOn: 0,
  workFailed: 0,
  skipped: 0,
  failed: 0,
  heldBack: 0,
  givenUp: 0,
  stillInHand: 0,
  waiting: 0,
  calls: 0,
  durationMs: 0,
};

describe("a poll", () => {
  test("takes every customer once, in their order, and counts them", async () => {
    customers = makeCustomers(100);
    assert.deepEqual(await poll(), { ...nothing, loggedOn: 100, complete: true });
    assert.deepEqual(worked, idsOf(customers));
  });

  test("without customers is done at once, and that nobody is active is said once until somebody is", async () => {
    const told = () => lines.filter(({ message }) => message.startsWith("No customer is active"));
    const intervals = { pollMs: POLL, tenantMs: POLL };
    const around = { log, stop: new AbortController().signal };
    const { customers: taken } = await openAlone(intervals, loadAll, () => clock, around);
    loadCustomers = () => taken(undefined);
    const some = customers;
    customers = [];
    assert.deepEqual(await poll(), { ...nothing, complete: true });
    await poll();
    assert.equal(told().length, 1);
    customers = some;
    await poll();
    assert.equal(told().length, 1);
    customers = [];
    await poll();
    assert.equal(told().length, 2);
  });

  test("says what it came to, and how long it took", async () => {
    fails("1", new NetworkError("reset"));
    fails("2", new TenantNotRunningError("Suspended", "closed"));
    deeds.set("3", () => Promise.resolve(void (clock += 1234.4)));
    const summary = await poll();
    const expected = { ...nothing, loggedOn: 1, skipped: 1, failed: 1, complete: true };
    assert.deepEqual(summary, { ...expected, durationMs: 1234 });
    const { level, message, ...properties } = lines.at(-1)!;
    assert.equal(level, "info");
    assert.equal(message, "Poll done in 1234 ms: 1 logged on, 1 skipped, 1 failed");
    assert.equal(properties["durationMs"], 1234);
  });

  test("says how many calls were made, a straggler's in the poll in which it made them", async () => {
    const open = holds("2");
    const first = poll();
    await turns();
    calls = 7;
    assert.equal((await poll()).calls, 7);
    assert.match(lines.at(-1)!.message, /, 1 still in hand from before, 7 calls$/);
    calls = 2;
    open();
    assert.equal((await first).calls, 2);
    assert.match(lines.at(-1)!.message, /, 0 failed, 2 calls$/);
  });

  test("says of each customer who the system user is there", async () => {
    customers = makeCustomers(1);
    await poll();
    assert.equal(lines[0]!.level, "info");
    assert.equal(lines[0]!.message, "Logged on to context Cust1 as Associate 1");
    assert.equal(lines[0]!["associateId"], 1);
  });

  test("knows the secret of a customer while it is in hand, and not after", async () => {
    const held: string[][] = [];
    for (const { id } of customers) {
      deeds.set(id, () => Promise.resolve(void held.push([...secrets])));
    }
    fails("2", new NetworkError("reset"));
    setUp(1);
    await poll();
    assert.deepEqual(held, [["App-1"], ["App-3"]]);
    assert.deepEqual([...secrets], []);
  });
});

describe("a customer that has a moment of its own", () => {
  let comes: () => void;
  beforeEach(() => {
    customers = makeCustomers(4);
    moments.set("2", new Promise((resolve) => comes = resolve));
    moments.set("3", "notDue");
    setUp(1);
  });

  test("waits for it without a turn, while others are read and worked on", async () => {
    const polling = poll();
    await turns();
    assert.deepEqual(worked, ["1", "4"]);
    comes();
    const expected = { ...nothing, loggedOn: 3, notDue: 1, complete: true };
    assert.deepEqual(await polling, expected);
    assert.deepEqual(worked, ["1", "4", "2"]);
    assert.match(lines.at(-1)!.message, /: 3 logged on, 0 skipped, 0 failed, 1 not due$/);
  });

  test("is let go at a stop, and not counted as given up, though others still have all turns", async () => {
    const open = holds("4");
    const polling = poll();
    await turns();
    stop.abort();
    comes();
    await turns();
    assert.deepEqual(memory.take(customers[1]!), "taken");
    open();
    const expected = { ...nothing, loggedOn: 2, notDue: 1, notBegun: 1, complete: true };
    assert.deepEqual(await polling, expected);
    assert.deepEqual(worked, ["1", "4"]);
  });
});

describe("a customer whose work fails", () => {
  const afterLogOn = "The log-on worked, the work after it did not. Mend the work script";

  test("was logged on to: its line says both, and so does the poll's", async () => {
    setUp(
      4,
      ({ id }) => id === "2" ? Promise.reject(new WorkError("no budget")) : Promise.resolve("ok"),
    );
    const expected = { ...nothing, loggedOn: 3, workFailed: 1, complete: true };
    assert.deepEqual(await poll(), expected);
    const failure = lines.find(({ code }) => code === "WORK_FAILED");
    assert.ok(failure?.message.startsWith(`Cust2: no budget. ${afterLogOn}`), failure?.message);
    assert.equal(
      lines.at(-1)?.message,
      "Poll done in 0 ms: 3 logged on (the work failed for 1 of them), 0 skipped, 0 failed",
    );
    const synced = recorded.filter(({ syncedAt }) => syncedAt !== null);
    assert.deepEqual(synced.map(({ id }) => id).sort(), ["1", "3"]);
  });

  test("when it seemed to have ended well fails all the same, with its secret hidden", async () => {
    let failLate: (error: unknown) => void = () => {};
    customers = makeCustomers(1);
    setUp(4, (_customer, _loggedOn, _log, fail) => Promise.resolve(void (failLate = fail)));
    assert.equal((await poll()).workFailed, 0);
    const held: string[][] = [];
    secrets.add = function (secret) {
      Set.prototype.add.call(this, secret);
      held.push([...this]);
      return this;
    };
    failLate(new WorkError("left behind"));
    assert.ok(lines.at(-1)?.message.startsWith(`Cust1: left behind. ${afterLogOn}`));
    assert.match(recorded.at(-1)?.error ?? "", /^left behind\./);
    await turns();
    assert.deepEqual([held, [...secrets]], [[["App-1"]], []]);
  });

  test("or who is logged on to when the console stops is given up, by name", async () => {
    customers = makeCustomers(12);
    setUp(12, () => Promise.reject(new StoppedError("Stopped before it was done")));
    assert.deepEqual(await poll(), { ...nothing, givenUp: 12, complete: true });
    assert.match(
      lines.at(-1)?.message ?? "",
      /, 0 failed, 12 given up at the stop \(Cust1, Cust2, .*, Cust10 and 2 more\)$/,
    );
  });
});

describe("no more than CONCURRENCY customers", () => {
  for (const concurrency of [1, 3, 32]) {
    test(`(${concurrency}) are worked on at once, over two overlapping polls`, async () => {
      const gates = new Map<string, () => void>();
      const all = makeCustomers(80);
      for (const { id } of all) gates.set(id, holds(id));
      setUp(concurrency);
      customers = all.slice(0, 40);
      const first = poll();
      await turns();
      customers = all.slice(40);
      const second = poll();
      for (let next = 0; next < all.length; next++) {
        await turns();
        assert.equal(working, Math.min(concurrency, all.length - next));
        gates.get(worked[next]!)!();
      }
      assert.equal((await first).loggedOn, 40);
      assert.equal((await second).loggedOn, 40);
      assert.equal(mostWorking, concurrency);
      assert.deepEqual(new Set(worked), new Set(idsOf(all)));
      assert.equal(worked.length, all.length);
    });
  }

  test("are held, so that rows are read no faster than they are worked on", async () => {
    let read = 0;
    const all = makeCustomers(1000);
    loadCustomers = async function* () {
      for (const customer of await Promise.resolve(all)) {
        read++;
        yield [customer];
      }
    };
    const gates = all.map(({ id }) => holds(id));
    const polling = poll();
    await turns();
    // 4 that are worked on, and one that waits for a slot.
    assert.equal(read, 5);
    for (const open of gates) open();
    assert.equal((await polling).loggedOn, 1000);
  });
});

describe("a customer in hand", () => {
  test("is left out of the next polls until it is finished", async () => {
    const open = holds("2");
    const first = poll();
    await turns();
    assert.deepEqual(await poll(), { ...nothing, loggedOn: 2, stillInHand: 1, complete: true });
    assert.match(lines.at(-1)!.message, /, 0 failed, 1 still in hand from before$/);
    assert.deepEqual(await poll(), { ...nothing, loggedOn: 2, stillInHand: 1, complete: true });
    open();
    assert.equal((await first).loggedOn, 3);
    deeds.clear();
    assert.equal((await poll()).loggedOn, 3);
    assert.equal(worked.filter((id) => id === "2").length, 2);
  });

  test("that fails is taken again by the next poll", async () => {
    fails("2", new NetworkError("reset"));
    await poll();
    deeds.clear();
    assert.equal((await poll()).loggedOn, 3);
  });
});

describe("slow customers", () => {
  const slowIds = Array.from({ length: 10 }, (_, index) => `${index + 1}`);
  let gates: (() => void)[];

  beforeEach(async () => {
    customers = makeCustomers(50);
    setUp(8);
    for (const id of slowIds) fails(id, new RequestTimeoutError("no answer"));
    assert.equal((await poll()).failed, slowIds.length);
    gates = slowIds.map(holds);
    worked = [];
    mostWorking = 0;
  });

  test("hold up no healthy ones in the next polls, even when they fill their quarter", async () => {
    const healthy = idsOf(customers).filter((id) => !slowIds.includes(id));
    const first = await takeAll(loadCustomers());
    await turns();
    assert.equal(working, 2);
    assert.deepEqual(worked.filter((id) => !slowIds.includes(id)), healthy);

    const second = await (await takeAll(loadCustomers())).done;
    assert.deepEqual(second, { ...nothing, loggedOn: 40, stillInHand: 10, complete: true });
    assert.equal(working, 2);

    for (const open of gates) open();
    assert.equal((await first.done).loggedOn, 50);
    assert.equal(worked.filter((id) => slowIds.includes(id)).length, 10);
  });

  test("are worked on a quarter of CONCURRENCY at once", async () => {
    const { done } = await takeAll(loadCustomers());
    for (const [index, id] of slowIds.entries()) {
      await turns();
      assert.equal(working, Math.min(2, slowIds.length - index));
      gates[slowIds.indexOf(worked.filter((id) => slowIds.includes(id))[index]!)]!();
      assert.ok(worked.includes(id));
    }
    assert.equal((await done).loggedOn, 50);
  });

  test("that answer again in time are slow no more", async () => {
    for (const open of gates) open();
    await poll();
    gates = slowIds.map(holds);
    const { done } = await startPollWithHeld(8);
    assert.equal(working, 8);
    for (const open of gates) open();
    assert.equal((await done).loggedOn, 50);
  });

  test("that fail for another reason are slow no more", async () => {
    for (const id of slowIds) fails(id, new NetworkError("reset"));
    await poll();
    gates = slowIds.map(holds);
    const { done } = await startPollWithHeld(8);
    assert.equal(working, 8);
    for (const open of gates) open();
    assert.equal((await done).loggedOn, 50);
  });

  test("that time out again are still slow", async () => {
    for (const id of slowIds) fails(id, new RequestTimeoutError("no answer"));
    await poll();
    gates = slowIds.map(holds);
    const { done } = await takeAll(loadCustomers());
    await turns();
    assert.equal(working, 2);
    for (const open of gates) open();
    assert.equal((await done).loggedOn, 50);
  });

  /** Starts a poll and waits until so many are worked on, which is all that can be. */
  async function startPollWithHeld(count: number) {
    const started = takeAll(loadCustomers());
    await turns();
    assert.equal(working, count);
    return { done: started.then(({ done }) => done) };
  }
});

describe("a customer that was refused", () => {
  const refusals = [
    new RevokedError("Revoked"),
    new DeniedError("Denied"),
    new NeedsReapprovalError("NeedsReapproval"),
    new InvalidSignatureError("InvalidSignature"),
  ];
  for (const error of refusals) {
    test(`with ${error.code} waits for two polls, then for four`, async () => {
      fails("2", error);
      const tries: number[] = [];
      for (let number = 0; number < 9; number++) {
        const { failed, waiting, loggedOn } = await poll();
        assert.equal(failed + waiting, 1);
        assert.equal(loggedOn, 2);
        if (failed === 1) tries.push(number);
        clock += POLL;
      }
      assert.deepEqual(tries, [0, 2, 6]);
    });
  }

  const others = [
    new NetworkError("reset"),
    new RequestTimeoutError("slow"),
    new BusyError("busy", 503),
    new InvalidTimestampError("InvalidTimestamp"),
    new ExchangeRefusedError("another reason"),
    new JwtInvalidError("forged"),
    new SigningError("sealed"),
    new TypeError("a mistake in the program"),
  ];
  for (const error of others) {
    test(`with ${error.name} is tried again at the next poll`, async () => {
      fails("2", error);
      for (let number = 1; number <= 3; number++) {
        assert.deepEqual(await poll(), { ...nothing, loggedOn: 2, failed: 1, complete: true });
      }
    });
  }

  test("and waits is counted in the poll's line", async () => {
    fails("2", new RevokedError("Revoked"));
    await poll();
    assert.deepEqual(await poll(), { ...nothing, loggedOn: 2, waiting: 1, complete: true });
    assert.match(lines.at(-1)!.message, /, 0 failed, 1 refused before and waiting$/);
  });

  test("is tried at once when its system user token changed", async () => {
    fails("2", new RevokedError("Revoked"));
    await poll();
    customers[1]!.systemUserToken = "App-new";
    deeds.clear();
    assert.deepEqual(await poll(), { ...nothing, loggedOn: 3, complete: true });
  });

  test("starts anew once it was logged on to", async () => {
    fails("2", new RevokedError("Revoked"));
    await poll();
    clock += 2 * POLL;
    deeds.clear();
    assert.equal((await poll()).loggedOn, 3);
    fails("2", new RevokedError("Revoked"));
    assert.equal((await poll()).failed, 1);
    clock += 2 * POLL;
    assert.equal((await poll()).failed, 1);
  });
});

describe("the state of a tenant that takes no calls", () => {
  const said = () =>
    lines.filter(({ customer }) => customer === "Cust2").map(({ level, message }) => {
      lines = [];
      return [level, message.match(/its state is (\w+)/)?.[1] ?? message];
    })[0];

  async function pollIn(state: string | undefined) {
    if (state === undefined) deeds.clear();
    else fails("2", new TenantNotRunningError(state, "so it is"));
    lines = [];
    const { skipped, failed } = await poll();
    assert.equal(failed, 0);
    assert.equal(skipped, state === undefined ? 0 : 1);
    return said();
  }

  test("is told once, and again when it changed", async () => {
    assert.deepEqual(await pollIn("Suspended"), ["info", "Suspended"]);
    assert.deepEqual(await pollIn("Suspended"), ["debug", "Suspended"]);
    assert.deepEqual(await pollIn("Suspended"), ["debug", "Suspended"]);
    assert.deepEqual(await pollIn("OfflineMaintenance"), ["info", "OfflineMaintenance"]);
    assert.deepEqual(await pollIn("OfflineMaintenance"), ["debug", "OfflineMaintenance"]);
    assert.deepEqual(await pollIn("Suspended"), ["info", "Suspended"]);
  });

  test("is told again after the tenant was back", async () => {
    assert.deepEqual(await pollIn("Suspended"), ["info", "Suspended"]);
    assert.deepEqual(await pollIn(undefined), [
      "info",
      "Logged on to context Cust2 as Associate 2",
    ]);
    assert.deepEqual(await pollIn("Suspended"), ["info", "Suspended"]);
  });

  test("is a warning when the tenant was deleted", async () => {
    assert.deepEqual(await pollIn("Deleted"), ["warning", "Deleted"]);
    assert.deepEqual(await pollIn("Deleted"), ["debug", "Deleted"]);
  });

  test("is recorded each time, and does not keep the customer waiting", async () => {
    customers = customers.slice(1, 2);
    await pollIn("Suspended");
    await pollIn("Suspended");
    const error = "The tenant takes no calls, its state is Suspended: so it is. " +
      "It takes calls again when it is back. The console looks again by itself.";
    assert.deepEqual(recorded, Array(2).fill(result("2", null, error)));
  });
});

describe("when the database fails in the middle", () => {
  beforeEach(() => {
    loadCustomers = async function* () {
      yield await Promise.resolve(customers);
      throw new DatabaseError("The connection was cut", "Look at the server.");
    };
  });

  test("the poll is not complete, and what was taken is finished", async () => {
    const open = holds("2");
    let isDone = false;
    const { done } = await takeAll(loadCustomers());
    const summary = done.finally(() => isDone = true);
    await turns();
    assert.equal(isDone, false);
    open();
    assert.deepEqual(await summary, { ...nothing, loggedOn: 3, complete: false });
    assert.deepEqual(recorded.map(({ id }) => id).sort(), ["1", "2", "3"]);
  });

  test("it is logged as an error with its remedy, once", async () => {
    await poll();
    const errors = lines.filter(({ level }) => level === "error");
    assert.deepEqual(errors.map(({ message, code }) => [message, code]), [
      ["The connection was cut. Look at the server. [DATABASE_TROUBLE]", "DATABASE_TROUBLE"],
    ]);
  });

  test("the next poll takes them all", async () => {
    await poll();
    loadCustomers = loadAll;
    assert.deepEqual(await poll(), { ...nothing, loggedOn: 3, complete: true });
  });

  test("an error that is not the database's is told as UNEXPECTED", async () => {
    // deno-lint-ignore require-yield
    loadCustomers = async function* () {
      throw await Promise.resolve(new TypeError("a mistake in the program"));
    };
    assert.deepEqual(await poll(), { ...nothing, complete: false });
    assert.equal(lines[0]!["code"], "UNEXPECTED");
  });
});

describe("a stop", () => {
  test("before a poll lets it take nobody", async () => {
    stop.abort();
    assert.equal((await poll()).loggedOn, 0);
    assert.deepEqual(worked, []);
  });

  test("ends the taking, and those in hand are finished", async () => {
    customers = makeCustomers(20);
    let ended = false;
    loadCustomers = async function* () {
      try {
        yield await Promise.resolve(customers);
      } finally {
        ended = true;
      }
    };
    const gates = idsOf(customers).map(holds);
    const started = takeAll(loadCustomers());
    await turns();
    stop.abort();
    gates[0]!();
    const { done } = await started;
    assert.equal(ended, true);
    for (const open of gates) open();
    assert.deepEqual(await done, { ...nothing, loggedOn: 4, notBegun: 16, complete: true });
    assert.match(lines.at(-1)!.message, /^Poll stopped in 0 ms: 4 logged on, .*, 16 not begun$/);
    assert.deepEqual(worked, ["1", "2", "3", "4"]);
    assert.deepEqual(recorded.map(({ id }) => id).sort(), ["1", "2", "3", "4"]);
    for (const customer of customers) assert.equal(memory.take(customer), "taken");
  });

  for (
    const [name, pages, expected] of [
      [
        "that there are others",
        3,
        /^Poll stopped in .* 2 logged on, .*, 1 not begun, the others not begun$/,
      ],
      ["no others where there are none", 1, /^Poll stopped in .* 2 logged on, .*, 1 not begun$/],
    ] as const
  ) {
    test(`says ${name}, of whom nobody knows how many they are`, async () => {
      setUp(1);
      let read = 0;
      loadCustomers = async function* () {
        while (read < pages) {
          await Promise.resolve();
          yield makeCustomers(3, 1 + 3 * read++);
        }
      };
      deeds.set("2", () => Promise.resolve(stop.abort()));
      assert.equal((await poll()).complete, true);
      assert.equal(read, Math.min(pages, 2));
      assert.match(lines.at(-1)!.message, expected);
    });
  }

  test("that comes when all are begun leaves a poll that is done, and says so", async () => {
    const open = holds("2");
    const polling = poll();
    await turns();
    stop.abort();
    open();
    assert.equal((await polling).loggedOn, 3);
    assert.match(lines.at(-1)!.message, /^Poll done in/);
  });

  test("lets slow customers that wait for their turn go", async () => {
    customers = makeCustomers(10);
    for (const { id } of customers) fails(id, new RequestTimeoutError("no answer"));
    await poll();
    worked = [];
    const gates = idsOf(customers).map(holds);
    const { done } = await takeAll(loadCustomers());
    await turns();
    stop.abort();
    for (const open of gates) open();
    assert.equal((await done).loggedOn, 1);
    assert.deepEqual(worked, ["1"]);
    for (const customer of customers) assert.equal(memory.take(customer), "taken");
  });
});

describe("trouble that takes time, at whatever step,", () => {
  const long = (id: string) =>
    deeds.set(id, () => {
      clock += 1000;
      return Promise.reject(new BusyError("status 503", 503));
    });
  const slowOnes = () => idsOf(customers.filter(memory.isSlow));

  test("makes those slow who have it while others are logged on to", async () => {
    for (const id of ["1", "2"]) long(id);
    await poll();
    assert.deepEqual(slowOnes(), [], "nobody was logged on to meanwhile");
    await poll();
    assert.deepEqual(slowOnes(), ["1", "2"]);
  });

  test("makes nobody slow when everybody has it, for however long", async () => {
    await poll();
    clock += 1;
    for (const { id } of customers) long(id);
    for (let polls = 0; polls < 5; polls++) assert.equal((await poll()).failed, 3);
    assert.deepEqual(slowOnes(), []);
  });

  test("is over with a success, or with trouble that takes no time", async () => {
    for (const id of ["1", "2"]) long(id);
    await poll();
    await poll();
    deeds.delete("1");
    fails("2", new NetworkError("reset"));
    await poll();
    assert.deepEqual(slowOnes(), []);
  });

  test("leaves a slow one slow when nobody else was there", async () => {
    long("1");
    await poll();
    await poll();
    customers = makeCustomers(1);
    await poll();
    assert.deepEqual(slowOnes(), ["1"]);
  });
});

test("a login host that does not answer in time makes no customer slow", async () => {
  customers = makeCustomers(10);
  const late = new RequestTimeoutError("no answer", LOGIN_HOST);
  for (const { id } of customers) fails(id, late);
  assert.equal((await poll()).failed, 10);
  assert.deepEqual(customers.filter(memory.isSlow), []);
});

describe("what became of a customer is recorded", () => {
  beforeEach(() => customers = makeCustomers(1));

  test("with the time when it was logged on to", async () => {
    await poll();
    assert.deepEqual(recorded, [result("1", NOW, null)]);
  });

  test("with problem and remedy when it failed, which are logged with the code", async () => {
    const error = new RevokedError("The exchange was refused: Revoked");
    fails("1", error);
    await poll();
    const text = `${error.message}. ${explain(error).remedy}`;
    assert.deepEqual(recorded, [result("1", null, text)]);
    assert.equal(lines[0]!.level, "warning");
    assert.equal(lines[0]!.message, `Cust1: ${text} [TOKEN_REVOKED]`);
    assert.equal(lines[0]!["code"], "TOKEN_REVOKED");
  });

  for (const thrown of [new TypeError("x is not a function"), "x is not a function"]) {
    test(`as UNEXPECTED when ${typeof thrown === "string" ? "a text" : "any error"} was thrown`, async () => {
      fails("1", thrown);
      assert.equal((await poll()).failed, 1);
      assert.match(recorded[0]!.error ?? "", /^x is not a function\. This should not happen/);
      assert.equal(lines[0]!["code"], "UNEXPECTED");
    });
  }

  test("not when it was stopped before it was done", async () => {
    fails("1", new StoppedError("Stopped during the call"));
    assert.deepEqual(await poll(), { ...nothing, givenUp: 1, complete: true });
    assert.deepEqual(recorded, []);
    assert.equal(lines[0]!["code"], "STOPPED");
  });

  test("whatever becomes of the others", async () => {
    customers = makeCustomers(3);
    fails("1", new Error("a mistake in the program"));
    fails("3", new DeniedError("Denied"));
    assert.deepEqual(await poll(), { ...nothing, loggedOn: 1, failed: 2, complete: true });
    assert.deepEqual(
      recorded.map(({ id, error }) => [id, error === null]).sort(),
      [["1", false], ["2", true], ["3", false]],
    );
  });
});

describe("what is remembered of a customer", () => {
  /** Makes customer 2 slow, and tells that customer 3 is suspended. */
  beforeEach(async () => {
    fails("2", new RequestTimeoutError("no answer"));
    fails("3", new TenantNotRunningError("Suspended", "closed"));
    await poll();
  });

  /** Whether the two are still known as they were. */
  function isKnown(): boolean[] {
    const [, slow, told] = makeCustomers(3) as [Customer, Customer, Customer];
    const again = new TenantNotRunningError("Suspended", "closed");
    return [memory.isSlow(slow), !memory.failed(told, again, clock)];
  }

  test("is forgotten when it is active no more", async () => {
    customers = makeCustomers(1);
    await poll();
    assert.deepEqual(isKnown(), [false, false]);
  });

  test("stays when it is still there", async () => {
    await poll();
    assert.deepEqual(isKnown(), [true, true]);
  });

  test("stays when the customers could not be read to the end", async () => {
    loadCustomers = async function* () {
      yield await Promise.resolve(makeCustomers(1));
      throw new DatabaseError("The connection was cut", "Look at the server.");
    };
    await poll();
    assert.deepEqual(isKnown(), [true, true]);
  });

  test("stays when a stop ended the taking", async () => {
    deeds.set("1", () => Promise.resolve(stop.abort()));
    customers = makeCustomers(1);
    await poll();
    assert.deepEqual(isKnown(), [true, true]);
  });
});

test("after a stop no more rows are read", async () => {
  customers = makeCustomers(1000);
  let read = 0;
  loadCustomers = async function* () {
    for (const customer of await Promise.resolve(customers)) {
      read++;
      yield [customer];
    }
  };
  deeds.set("10", () => Promise.resolve(stop.abort()));
  assert.equal((await poll()).loggedOn < 20, true);
  assert.ok(read < 20, `${read} rows were read`);
});

test("what changes while the work goes on belongs to the next time", async () => {
  const later = (time: Date, ms: number) => new Date(time.getTime() + ms);
  const visit = createVisit({
    logOn(tenant) {
      clock += 1000;
      return logOn(tenant);
    },
    work: () => {
      clock += 60_000;
      return Promise.resolve("done");
    },
    record: (result) => recorded.push(result),
    explain,
    monotonicMs: () => clock,
  }, { memory, secrets, telemetry: undefined, log });
  assert.equal(await visit(makeCustomers(1)[0]!), "loggedOn");
  assert.equal(await visit({ ...makeCustomers(1)[0]!, lastWork: NOW }), "loggedOn");
  const again = later(NOW, 61_000);
  assert.deepEqual(recorded, [
    { ...result("1", NOW, null), worked: { beganAt: later(NOW, 1000), resumed: false } },
    { ...result("1", again, null), worked: { beganAt: later(again, 1000), resumed: true } },
  ]);
  assert.equal(lines.at(-1)!.message, "Cust1: done");
});
