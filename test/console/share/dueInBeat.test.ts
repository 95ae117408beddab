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
  isUrgent: false,
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

  test("who is urgent, new or changed is due at its start", () => {
    const due = createDueInBeat(BEAT_MS, TENANT_MS);
    const later = idsOf(createDueInBeat(BEAT_MS, TENANT_MS)(customers, beat(3)));
    due(customers.filter(({ id }) => id !== later[0]), beat(0));
    const changed = customers.map((customer) => ({
      ...customer,
      row: customer.id === later[1] ? 8 : 7,
      isUrgent: customer.id === later[2],
    }));
    const some = due(changed, beat(1));
    for (const id of later.slice(0, 3)) {
      assert.deepEqual(some.filter((one) => one.id === id), [{ id, atMs: beat(1).startMs }]);
    }
    assert.ok(!idsOf(some).includes(later[3]!));
  });
});
