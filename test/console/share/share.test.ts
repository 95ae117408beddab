import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Logger } from "@logtape/logtape";
import { createMemory, type Memory } from "../../../src/console/memory.ts";
import { createPoll, type Poll } from "../../../src/console/poll.ts";
import { createShare, type Share } from "../../../src/console/share/share.ts";
import { createTurns } from "../../../src/console/turns/turns.ts";
import type { Batch, CutCounts, Division, Rhythm } from "../../../src/database/division.ts";
import { CLAIM_MS } from "../../../src/database/division.ts";
import type { Customer } from "../../../src/database/loadCustomers.ts";
import { explain } from "../../../src/program/explain.ts";
import { closeLog } from "../../../src/program/log.ts";
import { TenantNotRunningError } from "../../../src/superoffice/errors.ts";
import { type JsonLine, openJsonLog } from "../../support/jsonLog.ts";

const BEAT_MS = 15_000;
const TENANT_MS = 60_000;
const INTERVALS = { pollMs: BEAT_MS, tenantMs: TENANT_MS };
const BATCH_SIZE = 3;

let log: Logger;
let lines: JsonLine[];
/** A clock in milliseconds that is never set back. */
let clock: number;
let table: ReturnType<typeof createTable>;
/** The ids of those that are active. */
let active: string[];
let looks: (() => void)[];
let consoles: Console[];
/** Who takes their time: they are finished when the test says so. */
let slow: Set<string>;

before(async () => {
  log = await openJsonLog((line) => lines.push(line));
});
after(() => closeLog());
beforeEach(() => {
  lines = [];
  clock = 100 * BEAT_MS;
  active = ["1", "2", "3", "4", "5", "6", "7", "8"];
  slow = new Set();
  looks = [];
  consoles = [];
  table = createTable();
});

/** What consoles that share the work have in common, in memory. */
function createTable() {
  interface Job extends Batch {
    /** Undefined where nobody has it. */
    heldUntil: number | undefined;
  }
  let jobs: Job[] = [];
  let lastId = 0;
  let lastBeat = 0;
  let batchSize = BATCH_SIZE;
  let otherRhythms: Rhythm[] = [];
  const owed: string[][] = [];

  function add(customerIds: string[], isRest = false): Job {
    const job = { claim: { id: `${++lastId}`, retryCount: 0 }, customerIds, isRest };
    jobs.push({ ...job, heldUntil: undefined });
    return jobs.at(-1)!;
  }
  const hold = (job: Job): Batch => {
    job.heldUntil = clock + CLAIM_MS;
    const { claim, customerIds, isRest } = job;
    return { claim: { ...claim }, customerIds, isRest };
  };
  const find = ({ claim }: Batch) =>
    jobs.find((job) =>
      job.claim.id === claim.id && job.claim.retryCount === claim.retryCount &&
      job.heldUntil !== undefined
    );
  const remove = (job: Job) => jobs = jobs.filter((other) => other !== job);
  function recover(): void {
    for (const job of jobs) {
      if (job.heldUntil === undefined || job.heldUntil > clock) continue;
      job.heldUntil = undefined;
      job.claim.retryCount++;
    }
  }

  /** One console's way to it; `before` may throw, or keep it waiting. */
  function open(before: (what: keyof Division) => void | Promise<void>): Division {
    return {
      async cut(owedIds = []) {
        await before("cut");
        recover();
        const number = Math.floor(clock / BEAT_MS);
        let counts: CutCounts | undefined;
        if (number > lastBeat) {
          lastBeat = number;
          owed.push(owedIds);
          const leftOver = idsOf(jobs.filter(({ heldUntil }) => heldUntil === undefined)).length;
          jobs = jobs.filter(({ heldUntil }) => heldUntil !== undefined);
          const inHand = jobs.flatMap(({ customerIds }) => customerIds);
          const free = active.filter((id) => !inHand.includes(id));
          for (let from = 0; from < free.length; from += batchSize) {
            add(free.slice(from, from + batchSize));
          }
          const inHandNow = active.length - free.length;
          counts = { due: free.length, notDue: 5, waiting: 2, inHand: inHandNow, leftOver };
        }
        return { number, leftMs: (number + 1) * BEAT_MS - clock, otherRhythms, counts };
      },
      async take(customers) {
        await before("take");
        const free = jobs.filter(({ heldUntil, isRest }) => heldUntil === undefined && !isRest);
        return free.slice(0, Math.max(1, Math.floor(customers / 1000))).map(hold);
      },
      async renew(batches) {
        await before("renew");
        return batches.filter((batch) => {
          const job = find(batch);
          if (job !== undefined) hold(job);
          return job === undefined;
        });
      },
      async recover() {
        await before("recover");
        recover();
      },
      async isUnfinished() {
        await before("isUnfinished");
        return jobs.some(({ isRest }) => !isRest);
      },
      async finish(batches) {
        await before("finish");
        for (const batch of batches) {
          const job = find(batch);
          if (job !== undefined) remove(job);
        }
      },
      async divide(batch, keptIds, returnedIds) {
        await before("divide");
        const job = find(batch);
        if (job === undefined) return undefined;
        remove(job);
        if (returnedIds.length > 0) add(returnedIds);
        return keptIds.length === 0 ? undefined : hold(add(keptIds, true));
      },
      async close() {
        await before("close");
      },
    };
  }

  return {
    open,
    setBatchSize: (size: number) => void (batchSize = size),
    setOtherRhythms: (rhythms: Rhythm[]) => void (otherRhythms = rhythms),
    /** Who was owed a call, at each cut. */
    owed,
    /** The customers that nobody has, and those that somebody has. */
    free: () => idsOf(jobs.filter(({ heldUntil }) => heldUntil === undefined)),
    held: () => idsOf(jobs.filter(({ heldUntil }) => heldUntil !== undefined)),
  };
}

const idsOf = (jobs: Batch[]) => jobs.flatMap(({ customerIds }) => customerIds).sort();

interface Console {
  share: Share;
  memory: Memory;
  stop: AbortController;
  /** Who was begun, in order. */
  begun: string[];
  /** Takes what falls to it of a beat. */
  beat(): Promise<void>;
  finish(id: string): void;
  /** Fails what is asked of the table until it is taken out again. */
  troubles: Set<keyof Division>;
  /** What it asked the table for. */
  asked: (keyof Division)[];
  /** What questions wait for. */
  gate: Promise<void> | undefined;
  loadFails: boolean;
}

function customer(id: string): Customer {
  return {
    id,
    contextIdentifier: `Cust${id}`,
    systemUserToken: `App-${id}`,
    lastSync: null,
    lastWork: null,
    hasError: false,
    databaseAheadMs: 0,
  };
}

function open(): Console {
  const stop = new AbortController();
  const console: Console = {
    stop,
    begun: [],
    troubles: new Set(),
    asked: [],
    gate: undefined,
    loadFails: false,
    finish: (id) => console.memory.giveBack(customer(id), true),
    async beat() {
      for await (const page of console.share.customers()) {
        for (const customer of page) {
          if (console.memory.take(customer) !== "taken") continue;
          console.begun.push(customer.id);
          if (!slow.has(customer.id)) console.memory.giveBack(customer, true);
        }
      }
    },
    share: undefined as never,
    memory: undefined as never,
  };
  const division = table.open(async (what) => {
    console.asked.push(what);
    await console.gate;
    if (console.troubles.has(what)) throw new Error(`no answer to ${what}`);
  });
  async function* load(ids: string[]): AsyncGenerator<Customer[]> {
    await Promise.resolve();
    if (console.loadFails) throw new Error("the rows cannot be read");
    yield ids.filter((id) => active.includes(id)).map(customer);
  }
  // It looks after its claims when the test says so.
  const { setInterval } = globalThis;
  globalThis.setInterval = ((look: () => void) => void looks.push(look)) as never;
  try {
    const monotonicMs = () => clock;
    const means = { explain, log };
    console.share = createShare(division, load, INTERVALS, monotonicMs, stop.signal, means);
  } finally {
    globalThis.setInterval = setInterval;
  }
  console.memory = console.share.noting(
    createMemory(BEAT_MS, 30_000, "login.example", () => clock),
  );
  consoles.push(console);
  return console;
}

/** The poll of one tenant after the other. */
function pollOf({ memory, stop }: Console, visit: (customer: Customer) => Promise<void>): Poll {
  const parts = {
    visit: (customer: Customer) => visit(customer).then(() => "loggedOn" as const),
    takeNews: () => undefined,
    takeCalls: () => 0,
    takeChange: () => undefined,
    settle: () => Promise.resolve(),
    progress: undefined,
  };
  const around = { memory, explain, telemetry: undefined, monotonicMs: () => clock, log };
  return createPoll(parts, createTurns(1), around, stop.signal);
}

/** Lets everything that is due at once happen. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets seconds pass, after each of which the consoles look after their claims. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock += 1000;
    for (const look of looks) look();
    await turns();
  }
}

async function passToNextBeat(): Promise<void> {
  await pass(BEAT_MS / 1000 - (clock % BEAT_MS) / 1000);
}

const begunInAll = () => consoles.flatMap(({ begun }) => begun).sort();

test("each customer is taken once a beat, whichever console takes it", async () => {
  const [one, other] = [open(), open()];
  await Promise.all([one.beat(), other.beat()]);
  assert.deepEqual(begunInAll(), active);
  assert.ok(one.begun.length > 0 && other.begun.length > 0);
  await passToNextBeat();
  await Promise.all([other.beat(), one.beat()]);
  assert.deepEqual(begunInAll(), [...active, ...active].sort());
  assert.deepEqual([table.free(), table.held()], [[], []]);
});

test("a beat that was done is not begun again: the next one is waited for", async () => {
  const own = open();
  clock += BEAT_MS - 20;
  await own.beat();
  const again = own.beat();
  await turns();
  assert.equal(own.begun.length, active.length);
  clock += 20;
  await again;
  assert.equal(own.begun.length, 2 * active.length);
});

test("who was taken, but whose claim was not renewed for long, is not begun", async () => {
  const own = open();
  for await (const page of own.share.customers()) {
    clock += CLAIM_MS - 1000;
    assert.deepEqual(page.map(own.memory.take), ["elsewhere", "elsewhere", "elsewhere"]);
    break;
  }
  assert.deepEqual(table.free(), active);
});

test("who has gone to another console meanwhile is not begun", async () => {
  const [frozen, other] = [open(), open()];
  slow = new Set(active);
  for await (const page of frozen.share.customers()) {
    assert.equal(frozen.memory.take(page[0]!), "taken");
    clock += CLAIM_MS + 1000;
    void other.beat();
    await turns();
    assert.ok(other.begun.includes(page[1]!.id));
    // It wakes up, and renews what is another's now.
    looks[0]!();
    await turns();
    assert.equal(frozen.memory.take(page[1]!), "elsewhere");
    frozen.finish(page[0]!.id);
    break;
  }
  await turns();
  for (const id of other.begun) other.finish(id);
  await pass(3);
  assert.deepEqual(table.held(), []);
});

test("what is not begun at a stop is given back at once, and what is begun is kept until it is finished", async () => {
  const [stopped, other] = [open(), open()];
  for await (const page of stopped.share.customers()) {
    stopped.memory.take(page[0]!);
    stopped.stop.abort();
    await turns();
    assert.deepEqual([table.held(), table.free()], [["1"], active.slice(1)]);
    await other.beat();
    assert.deepEqual(other.begun.sort(), active.slice(1));
    break;
  }
  stopped.finish("1");
  await stopped.share.leave();
  assert.deepEqual([table.free(), table.held()], [[], []]);
});

test("so is who waits for its turn then", async () => {
  const [stopped, other] = [open(), open()];
  let finish = () => {};
  const first = new Promise<void>((resolve) => finish = resolve);
  const poll = pollOf(stopped, async ({ id }) => {
    stopped.begun.push(id);
    await first;
  });
  const polling = poll(stopped.share.customers());
  await turns();
  stopped.stop.abort();
  await turns();
  assert.deepEqual(stopped.begun, ["1"]);
  finish();
  await (await polling).done;
  await pass(1);
  assert.deepEqual([table.held(), table.free()], [[], active.slice(1)]);
  await other.beat();
  assert.deepEqual(begunInAll(), active);
});

test("a console to which nobody falls of a beat says nothing of who is active, and forgets nothing of them", async () => {
  const own = open();
  const memory = own.memory;
  const state = new TenantNotRunningError("Suspended", "so");
  const poll = pollOf(own, (customer) => {
    memory.failed(customer, state, clock);
    return Promise.resolve();
  });
  await (await poll(own.share.customers())).done;
  await passToNextBeat();
  await open().beat();
  await (await poll(own.share.customers())).done;
  assert.deepEqual(lines.filter(({ message }) => /No customer is active/.test(message)), []);
  assert.equal(memory.failed(customer("1"), state, clock), false);
});

test("who is slow leaves its batch with a claim of its own, and holds up neither the beat nor the next one", async () => {
  for (const size of [BATCH_SIZE, 1]) {
    const own = open();
    table.setBatchSize(size);
    await passToNextBeat();
    slow = new Set(["2"]);
    const beat = own.beat();
    await turns();
    await pass(3);
    await beat;
    assert.deepEqual(own.begun.sort(), active);
    assert.ok(clock % BEAT_MS < 5000, "the beat waited for the slow one");
    assert.deepEqual(table.held(), ["2"]);

    await passToNextBeat();
    own.begun.length = 0;
    await own.beat();
    assert.deepEqual(own.begun.sort(), active.filter((id) => id !== "2"));
    own.finish("2");
    await passToNextBeat();
    slow.clear();
    own.begun.length = 0;
    await own.beat();
    assert.deepEqual(own.begun.sort(), active);
    await own.share.leave();
    looks = [];
  }
});

test("who is finished just before the next beat is taken in it", async () => {
  const own = open();
  slow = new Set(["2"]);
  const beat = own.beat();
  await turns();
  await pass(3);
  await beat;
  await pass(11);
  own.finish("2");
  clock += 1000;
  own.begun.length = 0;
  slow.clear();
  await own.beat();
  assert.deepEqual(own.begun.sort(), active);
});

for (const what of ["cut", "take", "isUnfinished", "finish", "recover"] as const) {
  test(`trouble with the table (${what}) breaks off that beat alone`, async () => {
    const own = open();
    own.troubles.add(what);
    // Somebody has to be waited for.
    if (what === "recover") slow = new Set(["1"]);
    await assert.rejects(own.beat(), /no answer to/);
    own.troubles.clear();
    own.finish("1");
    slow.clear();
    await passToNextBeat();
    own.begun.length = 0;
    await own.beat();
    assert.deepEqual(own.begun.sort(), active);
  });
}

test("when the rows cannot be read, the customers go back to whoever reads them", async () => {
  const [own, other] = [open(), open()];
  own.loadFails = true;
  await assert.rejects(own.beat(), /the rows cannot be read/);
  assert.deepEqual([table.free(), table.held()], [active, []]);
  await other.beat();
  assert.deepEqual(other.begun.sort(), active);
});

test("a customer that became inactive holds nothing up", async () => {
  const own = open();
  const all = active;
  for await (const page of own.share.customers()) {
    active = all.slice(0, -1);
    for (const customer of page) {
      own.memory.take(customer);
      own.finish(customer.id);
    }
  }
  assert.deepEqual([table.free(), table.held()], [[], []]);
});

/** What is held by a console that works on nobody is held by nobody soon, and taken by somebody in the next beat. */
async function assertNothingStays(own: Console): Promise<void> {
  own.troubles.clear();
  slow.clear();
  await pass(CLAIM_MS / 1000 + 1);
  await passToNextBeat();
  own.begun.length = 0;
  await own.beat();
  assert.deepEqual(own.begun.sort(), active);
  await pass(1);
  assert.deepEqual([table.free(), table.held()], [[], []]);
}

test("a batch that could not be given back, since the table does not answer, is not renewed for ever", async () => {
  const own = open();
  own.loadFails = true;
  own.troubles.add("divide");
  await assert.rejects(own.beat(), /no answer to divide/);
  own.loadFails = false;
  await assertNothingStays(own);
});

test("nor is one whose last customer was finished while it could not be divided", async () => {
  const own = open();
  slow = new Set(["2"]);
  const beat = own.beat();
  await turns();
  own.troubles.add("divide");
  let answer = () => {};
  await pass(1);
  own.gate = new Promise((resolve) => answer = resolve);
  await pass(1);
  assert.ok(own.asked.includes("divide"));
  own.finish("2");
  answer();
  own.gate = undefined;
  await beat;
  await assertNothingStays(own);
});

test("nor is one whose last customer is finished while it is divided", async () => {
  const own = open();
  slow = new Set(["2"]);
  const beat = own.beat();
  await turns();
  own.asked.length = 0;
  let answer = () => {};
  await pass(1);
  own.gate = new Promise((resolve) => answer = resolve);
  await pass(1);
  assert.ok(own.asked.includes("divide"));
  own.finish("2");
  answer();
  own.gate = undefined;
  await beat;
  await assertNothingStays(own);
});

test("nor is one that is lost to another console while it is divided", async () => {
  const [own, other] = [open(), open()];
  slow = new Set(active);
  for await (const page of own.share.customers()) {
    own.memory.take(page[0]!);
    clock += CLAIM_MS + 1;
    void other.beat();
    await turns();
    break;
  }
  own.finish("1");
  other.begun.forEach(other.finish);
  await assertNothingStays(own);
});

test("what is given back, but for one that is under way, is taken again when the table answers", async () => {
  const own = open();
  slow = new Set(["1"]);
  own.troubles.add("divide");
  const taking = (async () => {
    for await (const page of own.share.customers()) {
      own.memory.take(page[0]!);
      break;
    }
  })();
  await assert.rejects(taking, /no answer to divide/);
  own.finish("1");
  await assertNothingStays(own);
});

test("what was finished while the table did not answer is told later, and not done again", async () => {
  const [own, other] = [open(), open()];
  own.troubles.add("finish");
  await assert.rejects(own.beat(), /no answer to finish/);
  own.troubles.clear();
  await pass(CLAIM_MS / 1000 + 1);
  await other.beat();
  assert.deepEqual(begunInAll(), active);
});

test("consoles that have another rhythm are told of once", async () => {
  const own = open();
  const other = { beatSeconds: 30, tenantSeconds: 60 };
  table.setOtherRhythms([other, other]);
  await own.beat();
  await passToNextBeat();
  table.setOtherRhythms([
    { beatSeconds: 60, tenantSeconds: 60 },
    other,
    { beatSeconds: BEAT_MS / 1000, tenantSeconds: 90 },
    { beatSeconds: BEAT_MS / 1000, tenantSeconds: TENANT_MS / 1000 },
    // An earlier version does not say it.
    { beatSeconds: BEAT_MS / 1000 } as Rhythm,
  ]);
  await own.beat();
  const said = lines.filter(({ level }) => level === "warning").map(({ message }) => message);
  assert.equal(said.length, 3);
  assert.match(said[0]!, /POLL_SECONDS=30, .*set the same for all/);
  assert.match(said[1]!, /POLL_SECONDS=60, /);
  assert.match(said[2]!, /TENANT_SECONDS=90, .*set the same for all/);
});

describe("what a console says of a beat", () => {
  /** The last line of a poll. */
  const said = () => lines.findLast(({ message }) => message.startsWith("Poll"))?.message;
  const doNothing = () => Promise.resolve();
  const pollFrom = async (console: Console, visit: (customer: Customer) => Promise<void>) =>
    await (await pollOf(console, visit)(console.share.customers())).done;

  test("adds up to all customers, with those of the others, since whoever cuts it counts who comes to none", async () => {
    const [one, other] = [open(), open()];
    const [ofOne, ofOther] = await Promise.all([
      pollFrom(one, doNothing),
      pollFrom(other, doNothing),
    ]);
    assert.equal(ofOne.loggedOn + ofOther.loggedOn, active.length);
    assert.equal((ofOne.notDue ?? 0) + (ofOther.notDue ?? 0), 5);
    assert.equal(ofOne.waiting + ofOther.waiting, 2);
    const cutting = lines.filter(({ message }) => /, 5 not due, 2 refused before/.test(message));
    assert.equal(cutting.length, 1);
  });

  test("names those that are still in a console's hand, and those that left it", async () => {
    const [own, other] = [open(), open()];
    slow = new Set(["2"]);
    const beat = other.beat();
    await turns();
    await pass(3);
    await beat;
    await passToNextBeat();
    clock += CLAIM_MS / 2;
    const { loggedOn, stillInHand } = await pollFrom(own, doNothing);
    assert.deepEqual([loggedOn, stillInHand], [7, 1]);
    assert.match(said()!, /, 1 still in hand from before/);
    other.finish("2");
    await passToNextBeat();
    let isFrozen = false;
    const polling = pollFrom(own, () => {
      // It does nothing for a while, and then begins nobody more of what it has.
      if (!isFrozen) clock += CLAIM_MS - 1000;
      isFrozen = true;
      return Promise.resolve();
    });
    await turns();
    await passToNextBeat();
    assert.equal((await polling).elsewhere, 2);
    assert.match(said()!, /, 2 no more this console's when their turn came/);
  });

  test("is that others did it, where nothing was left", async () => {
    const [one, other] = [open(), open()];
    await pollFrom(one, doNothing);
    assert.doesNotMatch(said()!, /nothing was left/);
    clock += 5000;
    await pollFrom(other, doNothing);
    assert.match(
      said()!,
      /^Poll done in 0 ms: 0 logged on, .*; nothing was left of this beat, which another console did, or an earlier run: the next begins in 10 s$/,
    );
  });

  test("is that its end came first, and the next line says how many were left over", async () => {
    const own = open();
    await pollFrom(own, (customer) => {
      if (customer.id === "3") clock += BEAT_MS;
      return Promise.resolve();
    });
    assert.match(said()!, /; the beat's end came first: what was left comes first in the next$/);
    const { leftOver, loggedOn } = await pollFrom(own, doNothing);
    assert.deepEqual([loggedOn, leftOver], [active.length, active.length - 3]);
    assert.match(said()!, /, 5 of this beat's left over from the one before/);
  });

  test("is at a stop that the rest is left to others", async () => {
    const own = open();
    const { notBegun } = await pollFrom(own, () => Promise.resolve(own.stop.abort()));
    assert.equal(notBegun, 2);
    assert.match(
      said()!,
      /^Poll stopped in 0 ms: 1 logged on, .*, 2 not begun, the others left to other consoles$/,
    );
  });
});

test("a beat that was missed, since the one before took longer, is told of once; not one that the database kept it from", async () => {
  const own = open();
  const warnings = () =>
    lines.filter(({ level }) => level === "warning").map((line) => line.message);
  await own.beat();
  own.troubles.add("cut");
  for (let beat = 0; beat < 2; beat++) {
    await passToNextBeat();
    await assert.rejects(own.beat(), /no answer to cut/);
  }
  own.troubles.clear();
  await passToNextBeat();
  await own.beat();
  assert.deepEqual(warnings(), []);
  for (let time = 0; time < 2; time++) {
    clock += 3 * BEAT_MS;
    await own.beat();
  }
  assert.equal(warnings().length, 1);
  assert.match(warnings()[0]!, /^This console missed 2 beats, since what it took/);
});

test("who was held back with all others is owed a call in the next beat, unless it gets one before", async () => {
  const [own, other] = [open(), open()];
  await own.beat();
  own.memory.failedWithAll(customer("3"), "DENIED");
  own.memory.failedWithAll(customer("4"), "DENIED");
  await passToNextBeat();
  // The one who cuts does not know it.
  await other.share.customers().next();
  for await (const page of own.share.customers()) {
    for (const customer of page) {
      if (customer.id === "4") own.memory.take(customer);
    }
    break;
  }
  own.finish("4");
  await passToNextBeat();
  await own.beat();
  await passToNextBeat();
  await own.beat();
  assert.deepEqual(table.owed, [[], [], ["3"], []]);
});

test("a console that waits for its own last customer goes on as soon as that is finished, and not a moment later", async () => {
  const own = open();
  slow = new Set(["8"]);
  // A wait ends by being woken alone.
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (() => 0) as never;
  try {
    const beat = own.beat();
    await turns();
    assert.deepEqual(own.begun.sort(), active);
    own.finish("8");
    await beat;
  } finally {
    globalThis.setTimeout = setTimeout;
  }
});

test("who leaves gives back what it has, tells what is finished, and closes", async () => {
  const own = open();
  slow = new Set(["1"]);
  for await (const page of own.share.customers()) {
    own.memory.take(page[0]!);
    break;
  }
  own.finish("1");
  await own.share.leave();
  assert.deepEqual([table.held(), table.free()], [[], active.slice(1)]);
  assert.equal(own.asked.at(-1), "close");
});

test("who leaves while the table does not answer leaves all the same", async () => {
  const own = open();
  own.troubles.add("finish");
  await assert.rejects(own.beat(), /no answer to finish/);
  await own.share.leave();
  assert.deepEqual(lines.map(({ level }) => level), ["debug"]);
  assert.equal(own.asked.at(-1), "close");
});

test("also where it could not be told what is given back", async () => {
  const own = open();
  for await (const _page of own.share.customers()) {
    own.troubles.add("divide");
    own.stop.abort();
    break;
  }
  await own.share.leave();
  assert.equal(own.asked.at(-1), "close");
});
