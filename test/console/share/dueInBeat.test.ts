import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import fc from "fast-check";
import { createDueInBeat } from "../../../src/console/share/dueInBeat.ts";
import type { Carried, CutCustomer, Decide } from "../../../src/database/division.ts";
import { property } from "../../support/property.ts";

const BEAT_MS = 15_000;
const TENANT_MS = 60_000;
const START_MS = 1_800_000_000_000;
const BEFORE_MS = START_MS - 3600_000;

const makeCustomers = (count: number): CutCustomer[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `${index + 1}`,
    row: 7,
    hasError: false,
    lastSyncMs: BEFORE_MS,
    isLeftOver: false,
    isInHand: false,
    isWaiting: false,
  }));
const beatAt = (number: number, from = number) => ({
  startMs: START_MS + number * BEAT_MS,
  fromMs: START_MS + from * BEAT_MS,
});
const idsOf = (some: { id: string }[]) => some.map(({ id }) => id);

let customers: CutCustomer[];
let carried: Carried;
let number: number;
/** Those who cut beats. */
let one: Decide;
let other: Decide;

beforeEach(() => {
  customers = makeCustomers(400);
  carried = { called: [], missed: [] };
  number = -1;
  one = createDueInBeat(BEAT_MS, TENANT_MS);
  other = createDueInBeat(BEAT_MS, TENANT_MS);
});

/** Cuts the next beat, or one after some that nobody cut. */
function cut(decide: Decide, { away = 0 } = {}) {
  const from = number + 1;
  number += 1 + away;
  const decided = decide(customers, beatAt(number, from), carried);
  // As it goes through the database.
  carried = JSON.parse(JSON.stringify(decided.carried));
  return decided.due;
}

/** The result of one that was called in the beat that was cut last. */
function write(ids: string[], hasError = false): void {
  for (const id of ids) {
    const customer = customers[Number(id) - 1]!;
    customer.hasError = hasError;
    if (!hasError) customer.lastSyncMs = START_MS + number * BEAT_MS + 1000;
  }
}

/** In which of so many beats it is called; its results are written before the next one. */
function beatsOf(id: string, beats: number, whoCuts: (beat: number) => Decide = () => one) {
  const found: number[] = [];
  for (let beat = 0; beat < beats; beat++) {
    const due = idsOf(cut(whoCuts(beat)));
    write(due);
    if (due.includes(id)) found.push(number);
  }
  return found;
}

/** One that is due in none of the next three beats. */
const someoneNotDue = () => {
  const decide = createDueInBeat(BEAT_MS, TENANT_MS);
  const due = [0, 1, 2].flatMap((more) =>
    idsOf(decide(customers, beatAt(number + 1 + more), { called: [], missed: [] }).due)
  );
  return customers.find(({ id }) => !due.includes(id))!;
};

describe("in a beat", () => {
  test("each customer is due once in its interval, at its own moment, and about as many in each beat", () => {
    const beats = [0, 1, 2, 3].map(() => cut(one));
    assert.deepEqual(idsOf(beats.flat()).sort(), idsOf(customers).sort());
    for (const [number, some] of beats.entries()) {
      assert.ok(Math.abs(some.length - 100) <= 2, `${some.length}`);
      const { startMs } = beatAt(number);
      assert.ok(some.every(({ atMs }) => atMs >= startMs && atMs < startMs + BEAT_MS));
      assert.deepEqual(some, [...some].sort((one, other) => one.atMs - other.atMs));
    }
    assert.deepEqual(cut(one).length, beats[0]!.length);
  });

  test("those are due, too, whose moments were in beats that nobody cut", () => {
    const all = [0, 1, 2].flatMap(() => idsOf(cut(other)));
    number = -1;
    assert.deepEqual(idsOf(cut(one, { away: 2 })).sort(), all.sort());
  });

  test("who is left over is due at its start", () => {
    cut(one);
    const customer = someoneNotDue();
    customer.isLeftOver = true;
    const found = cut(other).filter(({ id }) => id === customer.id);
    assert.deepEqual(found, [{ id: customer.id, atMs: beatAt(1).startMs }]);
  });

  test("who was refused, and waits, is not", () => {
    customers.forEach((customer) => {
      customer.isWaiting = customer.hasError = true;
    });
    assert.deepEqual([0, 1, 2, 3].flatMap(() => cut(one)), []);
  });
});

describe("a newcomer is called at once, and then at its moments after an interval", () => {
  for (const [name, whoCuts] of Object.entries({ "one console": () => one, "two in turn": turn })) {
    test(`where ${name} cuts`, () => {
      for (const customer of customers) customer.lastSyncMs = null;
      assert.equal(cut(whoCuts(1)).length, customers.length);
      write(idsOf(customers));
      const calls = new Map<string, number[]>();
      for (let beat = 0; beat < 8; beat++) {
        const due = idsOf(cut(whoCuts(beat)));
        write(due);
        for (const id of due) calls.set(id, [...calls.get(id) ?? [], number]);
      }
      for (const { id } of customers) {
        const [first, second] = calls.get(id)!;
        assert.ok(first! >= 4 && first! <= 7, `${id}: ${first}`);
        if (second !== undefined) assert.equal(second, first! + 4);
      }
    });
  }

  test("also where its result is not written when the next beat is cut, by whomever", () => {
    customers[0]!.lastSyncMs = null;
    assert.ok(idsOf(cut(one)).includes("1"));
    assert.ok(!idsOf(cut(other)).includes("1"));
    write(["1"]);
    assert.ok(!idsOf(cut(one)).includes("1"));
    assert.ok(!idsOf(cut(other)).includes("1"));
  });

  test("and again where its result was lost", () => {
    customers[0]!.lastSyncMs = null;
    const calls = [0, 1, 2].map(() => idsOf(cut(one)).includes("1"));
    assert.deepEqual(calls, [true, false, true]);
  });

  test("and not more often where it is slow", () => {
    customers[0]!.lastSyncMs = null;
    cut(one);
    customers[0]!.isInHand = true;
    for (let beat = 0; beat < 3; beat++) cut(turn(beat));
    customers[0]!.isInHand = false;
    write(["1"]);
    // That is its moment.
    assert.deepEqual(beatsOf("1", 4, turn), [6]);
  });

  test("also when all consoles are started anew", () => {
    customers[0]!.lastSyncMs = null;
    assert.ok(idsOf(cut(one)).includes("1"));
    write(["1"]);
    carried = { called: [], missed: [] };
    const [again] = beatsOf("1", 8, () => createDueInBeat(BEAT_MS, TENANT_MS));
    assert.ok(again! >= 3 && again! <= 7, `${again}`);
  });
});

function turn(beat: number): Decide {
  return beat % 2 === 0 ? one : other;
}

describe("whoever cuts, a customer is called at once", () => {
  beforeEach(() => {
    write(idsOf(cut(one)));
    write(idsOf(cut(other)));
  });

  test("and once, when it is active again", () => {
    const customer = someoneNotDue();
    const all = customers;
    customers = all.filter((other) => other !== customer);
    cut(one), cut(other);
    customers = all;
    const [first, second] = beatsOf(customer.id, 8, turn);
    assert.equal(first, 4);
    assert.ok(second === undefined || second >= 8, `${second}`);
  });

  test("and once, when its row changed", () => {
    const customer = someoneNotDue();
    customer.row = 8;
    const [first, second] = beatsOf(customer.id, 8, turn);
    assert.equal(first, 2);
    assert.ok(second === undefined || second >= 6, `${second}`);
  });

  test("and once, when somebody emptied its error; not when the console did", () => {
    const [cleared, mended] = [someoneNotDue(), someoneNotDue()];
    cleared.hasError = true;
    cleared.isWaiting = true;
    cut(one);
    cleared.hasError = cleared.isWaiting = false;
    assert.ok(idsOf(cut(one)).includes(cleared.id));
    mended.hasError = true;
    assert.ok(idsOf(cut(one)).includes(mended.id));
    write([mended.id]);
    assert.ok(!idsOf(cut(one)).includes(mended.id));
  });

  test("at each beat as long as it fails, and no more when it got through", () => {
    const { id } = someoneNotDue();
    write([id], true);
    for (let beat = 0; beat < 3; beat++) assert.ok(idsOf(cut(turn(beat))).includes(id));
    write([id]);
    assert.ok(!idsOf(cut(other)).includes(id));
    assert.ok(!idsOf(cut(one)).includes(id));
  });

  test("when it is finished after it was in hand at its moment, and not otherwise", () => {
    const due = idsOf(cut(createDueInBeat(BEAT_MS, TENANT_MS)));
    number--;
    const [slow, quick] = [customers[Number(due[0]) - 1]!, someoneNotDue()];
    slow.isInHand = quick.isInHand = true;
    cut(one);
    quick.isInHand = false;
    assert.ok(!idsOf(cut(other)).includes(quick.id));
    slow.isInHand = false;
    assert.ok(idsOf(cut(one)).includes(slow.id));
    write([slow.id]);
    assert.ok(!idsOf(cut(other)).includes(slow.id));
  });
});

interface Step {
  cutter: number;
  away: number;
}
const steps = fc.array(
  fc.record({
    cutter: fc.nat(2),
    away: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(3)),
  }),
  { minLength: 10, maxLength: 40 },
);

property(
  "whichever console cuts, and whichever beats nobody cuts, nobody waits for two intervals, and nobody is called before its time",
  steps,
  (some: Step[]) => {
    customers = makeCustomers(40);
    for (const customer of customers.slice(20)) customer.lastSyncMs = null;
    carried = { called: [], missed: [] };
    number = -1;
    const consoles = [0, 1, 2].map(() => createDueInBeat(BEAT_MS, TENANT_MS));
    const last = new Map<string, number>();
    for (const { cutter, away } of some) {
      const due = idsOf(cut(consoles[cutter]!, { away }));
      write(due);
      for (const { id } of customers) {
        const beats = number - (last.get(id) ?? -1);
        // An interval is four beats; a beat that nobody cuts makes it longer, or late.
        assert.ok(beats < 8 + away, `${id} waits for ${beats} beats`);
        if (!due.includes(id)) continue;
        if (last.has(id)) assert.ok(beats >= 2, `${id} is called after ${beats} beats`);
        last.set(id, number);
      }
    }
  },
);
