import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createDueInBeat } from "../../../src/console/share/dueInBeat.ts";
import type { CutCustomer } from "../../../src/database/division.ts";

const BEAT_MS = 15_000;
const TENANT_MS = 60_000;
const START_MS = 1_800_000_000_000;

const customers: CutCustomer[] = Array.from({ length: 400 }, (_, index) => ({
  id: `${index + 1}`,
  row: 7,
  hasError: false,
  lastSyncMs: START_MS - TENANT_MS,
  isStrange: false,
  isLeftOver: false,
}));
const beat = (number: number, from = number) => ({
  startMs: START_MS + number * BEAT_MS,
  fromMs: START_MS + from * BEAT_MS,
});
const idsOf = (some: { id: string }[]) => some.map(({ id }) => id);

describe("in a beat", () => {
  test("each customer is due once in its interval, at its own moment, and about as many in each beat", () => {
    const due = createDueInBeat(BEAT_MS, TENANT_MS);
    const beats = [0, 1, 2, 3].map((number) => due(customers, beat(number)));
    assert.deepEqual(idsOf(beats.flat()).sort(), idsOf(customers).sort());
    for (const [number, some] of beats.entries()) {
      assert.ok(Math.abs(some.length - 100) <= 2, `${some.length}`);
      const { startMs } = beat(number);
      assert.ok(some.every(({ atMs }) => atMs >= startMs && atMs < startMs + BEAT_MS));
      assert.deepEqual(some, [...some].sort((one, other) => one.atMs - other.atMs));
    }
    assert.deepEqual(due(customers, beat(4)).length, beats[0]!.length);
  });

  test("those are due, too, whose moments were in beats that nobody cut", () => {
    const due = createDueInBeat(BEAT_MS, TENANT_MS);
    const once = createDueInBeat(BEAT_MS, TENANT_MS);
    const all = [0, 1, 2].flatMap((number) => idsOf(once(customers, beat(number))));
    assert.deepEqual(idsOf(due(customers, beat(2, 0))).sort(), all.sort());
  });

  test("who is new, changed, failed the last time or is left over is due at its start", () => {
    const due = createDueInBeat(BEAT_MS, TENANT_MS);
    const later = idsOf(createDueInBeat(BEAT_MS, TENANT_MS)(customers, beat(3)));
    due(customers.filter(({ id }) => id !== later[0]), beat(0));
    const changed = customers.map((customer) => ({
      ...customer,
      row: customer.id === later[1] ? 8 : 7,
      hasError: customer.id === later[2],
      isLeftOver: customer.id === later[3],
    }));
    const some = due(changed, beat(1));
    for (const id of later.slice(0, 4)) {
      assert.deepEqual(some.filter((one) => one.id === id), [{ id, atMs: beat(1).startMs }]);
    }
    assert.ok(!idsOf(some).includes(later[4]!));
  });

  test("a newcomer is called once, also while its result is not written yet, and then not before most of an interval is over", () => {
    const due = createDueInBeat(BEAT_MS, TENANT_MS);
    const newcomer = { ...customers[0]!, id: "1000", lastSyncMs: null, isStrange: true };
    due(customers, beat(0));
    const calls: number[] = [];
    let row: CutCustomer = newcomer;
    for (let number = 1; number < 40; number++) {
      const call = due([...customers, row], beat(number)).find(({ id }) => id === row.id);
      // Its ticket is stored at once, and its result a beat later.
      if (calls.length > 0) row = { ...row, lastSyncMs: calls.at(-1)! + 100 };
      if (call === undefined) continue;
      calls.push(call.atMs);
      row = { ...row, isStrange: false };
    }
    assert.equal(calls[0], beat(1).startMs);
    const gaps = calls.slice(1).map((at, index) => at - calls[index]!);
    assert.ok(gaps[0]! >= TENANT_MS * 0.75 && gaps[0]! < TENANT_MS * 1.75, `${gaps[0]}`);
    assert.ok(gaps.slice(1).every((gap) => gap === TENANT_MS), gaps.join());
  });

  test("of those that were never logged on to ten are called at the start, and the others at their moments", () => {
    const strangers = customers.map((customer) => ({
      ...customer,
      lastSyncMs: null,
      isStrange: true,
    }));
    const due = createDueInBeat(BEAT_MS, TENANT_MS);
    const beats = [0, 1, 2, 3].map((number) => due(strangers, beat(number)));
    assert.ok(beats[0]!.filter(({ atMs }) => atMs === beat(0).startMs).length <= 12);
    for (const some of beats) assert.ok(some.length < 115, `${some.length}`);
    assert.equal(new Set(beats.flatMap(idsOf)).size, customers.length);
  });

  test("an error that somebody emptied has it called at once; one that a log-on emptied does not", () => {
    const due = createDueInBeat(BEAT_MS, TENANT_MS);
    const [first, second] = idsOf(createDueInBeat(BEAT_MS, TENANT_MS)(customers, beat(3)));
    const isOne = ({ id }: CutCustomer) => id === first || id === second;
    due(customers.map((one) => ({ ...one, hasError: isOne(one) })), beat(0));
    const some = due(
      customers.map((one) =>
        one.id === second ? { ...one, lastSyncMs: beat(0).startMs + 50 } : one
      ),
      beat(1),
    );
    assert.ok(idsOf(some).includes(first!));
    assert.ok(!idsOf(some).includes(second!));
  });
});
