import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { nextMoment } from "../../src/console/schedule.ts";
import { property } from "../support/property.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");

const ids = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const times = fc.integer({ min: NOW, max: NOW + 10 ** 11 });
const intervals = fc.integer({ min: 100, max: 86_400_000 });

describe("a customer's moments", () => {
  property(
    "come once in each interval, whenever one looks",
    fc.tuple(ids, times, intervals),
    ([id, fromMs, intervalMs]) => {
      const moment = nextMoment(id, fromMs, intervalMs);
      assert.ok(moment >= fromMs && moment < fromMs + intervalMs, `${moment}`);
      assert.equal(nextMoment(id, moment, intervalMs), moment);
      assert.equal(nextMoment(id, moment + 1, intervalMs), moment + intervalMs);
    },
  );

  property(
    "of a thousand ids in a row are even, wherever they begin",
    fc.tuple(fc.bigInt({ min: 1n, max: 2n ** 62n }), times),
    ([first, fromMs]) => {
      const intervalMs = 30_000;
      const inSecond = Array<number>(30).fill(0);
      for (let id = 0n; id < 1000n; id++) {
        const moment = nextMoment(String(first + id), fromMs, intervalMs);
        inSecond[Math.floor((moment - fromMs) / 1000)]!++;
      }
      assert.ok(Math.max(...inSecond) <= 1.15 * 1000 / 30, `${inSecond}`);
      assert.ok(Math.min(...inSecond) >= 0.85 * 1000 / 30, `${inSecond}`);
    },
  );

  test("are the same on every machine and in every version", () => {
    const moments = ["1", "2", "3", "1000000"].map((id) => nextMoment(id, 0, 100_000));
    assert.deepEqual(moments, [61_803, 23_606, 85_410, 98_874]);
  });
});
