import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { countsAfterCall, countsAfterSync, dueIn, wasChanged } from "../../src/console/due.ts";
import { nextMoment } from "../../src/console/schedule.ts";
import { property } from "../support/property.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");

const ids = fc.bigInt({ min: 1n, max: 2n ** 62n }).map(String);
const times = fc.integer({ min: NOW, max: NOW + 10 ** 11 });
/** A poll, an interval that is as long at least, and how late the poll is that looks. */
const rhythms = fc.tuple(
  fc.integer({ min: 500, max: 60_000 }),
  fc.integer({ min: 0, max: 86_400_000 }),
  fc.integer({ min: 0, max: 600_000 }),
).map(([pollMs, moreMs, lateMs]) => ({ pollMs, tenantMs: pollMs + moreMs, lateMs }));

describe("a customer is due", () => {
  property(
    "at once when it is urgent, and otherwise at its moment, at once where that is late",
    fc.tuple(ids, times, rhythms),
    ([id, startMs, { pollMs, tenantMs, lateMs }]) => {
      const window = { fromMs: startMs - lateMs, startMs, endMs: startMs + pollMs };
      assert.equal(dueIn(id, true, window, tenantMs), startMs);
      const atMs = dueIn(id, false, window, tenantMs);
      const moment = nextMoment(id, window.fromMs, tenantMs);
      if (atMs === undefined) assert.ok(moment >= window.endMs);
      else assert.equal(atMs, Math.max(moment, startMs));
    },
  );

  property(
    "once in an interval after it was called at once, and not before that has passed",
    fc.tuple(ids, times, rhythms),
    ([id, calledMs, { tenantMs }]) => {
      const fromMs = countsAfterCall(calledMs, tenantMs);
      const window = { fromMs, startMs: calledMs, endMs: calledMs + 2 * tenantMs };
      const atMs = dueIn(id, false, window, tenantMs)!;
      assert.ok(atMs >= calledMs + tenantMs && atMs < calledMs + 2 * tenantMs);
    },
  );

  property(
    "in each interval where it is called at its moments, late by a poll or a quarter of the interval at most",
    fc.tuple(ids, times, rhythms, fc.double({ min: 0, max: 1, noNaN: true })),
    ([id, fromMs, { pollMs, tenantMs }, late]) => {
      const moment = nextMoment(id, fromMs, tenantMs);
      const calledMs = moment + Math.floor(late * Math.max(pollMs, tenantMs / 4));
      const nextMs = countsAfterSync(calledMs, Infinity, tenantMs, pollMs);
      assert.ok(nextMs <= moment + tenantMs, `${nextMs - moment}`);
    },
  );

  property(
    "again after half an interval at the earliest, or at the next poll but one, where it was called out of its turn",
    fc.tuple(ids, times, rhythms),
    ([id, calledMs, { pollMs, tenantMs }]) => {
      const fromMs = countsAfterSync(calledMs, Infinity, tenantMs, pollMs);
      const window = { fromMs, startMs: calledMs, endMs: calledMs + 2 * tenantMs };
      const atMs = dueIn(id, false, window, tenantMs)!;
      assert.ok(atMs - calledMs >= Math.min(tenantMs / 2, tenantMs - pollMs) - 1);
    },
  );

  test("at its moment where its row says nothing: never logged on to, or later than now", () => {
    assert.equal(countsAfterSync(null, NOW, 60_000, 15_000), -Infinity);
    assert.equal(countsAfterSync(NOW + 1, NOW, 60_000, 15_000), -Infinity);
    assert.equal(countsAfterSync(NOW, NOW, 60_000, 15_000), NOW + 45_000);
  });
});

test("a row was changed when it is another one, or somebody emptied its error", () => {
  const row = { row: 1, hasError: true };
  assert.equal(wasChanged(row, row, false), false);
  assert.equal(wasChanged(row, { row: 2, hasError: true }, true), true);
  assert.equal(wasChanged(row, { row: 1, hasError: false }, false), true);
  assert.equal(wasChanged(row, { row: 1, hasError: false }, true), false);
  assert.equal(wasChanged({ row: 1, hasError: false }, row, false), false);
});
