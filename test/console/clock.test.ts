import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { type Clock, createClock } from "../../src/console/clock.ts";

const HOUR = 3600_000;
const NOW = Date.parse("2026-01-02T03:04:05Z");

/** SuperOffice's time. */
let serverTime: number;
/** This machine's time. */
let machineTime: number;
let clock: Clock;

beforeEach(() => {
  serverTime = NOW;
  machineTime = NOW;
  clock = createClock(() => new Date(machineTime));
});

/** Lets time pass. */
function pass(ms: number): void {
  serverTime += ms;
  machineTime += ms;
}

/** Signs, is refused, compares, and tries again with success. */
function refused(signedAt = clock.now()) {
  const suspicion = clock.suspect(signedAt, new Date(serverTime));
  if (suspicion === undefined) return undefined;
  assert.deepEqual(suspicion.now(), new Date(serverTime));
  const isNews = clock.adopt(suspicion);
  return { secondsAhead: Math.round(suspicion.aheadMs / 1000), isNews };
}

describe("the clock", () => {
  test("starts as this machine's", () => {
    machineTime = NOW + 123;
    assert.deepEqual(clock.now(), new Date(NOW + 123));
    pass(HOUR);
    assert.deepEqual(clock.now(), new Date(NOW + 123 + HOUR));
  });

  for (const ms of [0, 999, -999, 59_999, -59_999]) {
    test(`takes times that are ${ms} ms apart to agree, and is not corrected`, () => {
      machineTime = NOW + ms;
      assert.equal(refused(), undefined);
      assert.deepEqual(clock.now(), new Date(NOW + ms));
    });
  }

  const wrong: [number, number][] = [
    [60_000, 60],
    [-60_000, -60],
    [HOUR, 3600],
    [-HOUR, -3600],
    [HOUR + 400, 3600],
    [-24 * HOUR, -86_400],
  ];
  for (const [ms, secondsAhead] of wrong) {
    test(`that is ${ms} ms off is corrected by ${secondsAhead} s`, () => {
      machineTime = NOW + ms;
      assert.deepEqual(refused(), { secondsAhead, isNews: true });
      assert.deepEqual(clock.now(), new Date(NOW));
    });
  }

  for (const ms of [24 * HOUR + 1, -24 * HOUR - 1, -73 * 365 * 24 * HOUR]) {
    test(`is not corrected by ${ms} ms, which no certificate would survive`, () => {
      machineTime = NOW + ms;
      assert.equal(refused(), undefined);
      assert.deepEqual(clock.now(), new Date(NOW + ms));
    });
  }

  test("is not corrected by a suspicion that nothing came of", () => {
    clock.suspect(clock.now(), new Date(NOW + HOUR));
    assert.deepEqual(clock.now(), new Date(NOW));
  });

  test("is this machine's again when the correction is forgotten", () => {
    machineTime = NOW + HOUR;
    refused();
    clock.forget();
    assert.deepEqual(clock.now(), new Date(NOW + HOUR));
  });

  test("stays corrected while time passes", () => {
    machineTime = NOW + HOUR;
    refused();
    pass(5 * HOUR);
    assert.deepEqual(clock.now(), new Date(NOW + 5 * HOUR));
    assert.equal(refused(), undefined);
  });

  test("tells the news once to all who signed before the correction", () => {
    machineTime = NOW + HOUR;
    const signedAt = clock.now();
    const told = Array.from({ length: 5 }, () => {
      pass(1000);
      return refused(signedAt);
    });
    assert.deepEqual(told.map((found) => found?.isNews), [true, false, false, false, false]);
    assert.deepEqual(new Set(told.map((found) => found?.secondsAhead)), new Set([3600]));
    assert.deepEqual(clock.now(), new Date(serverTime));
  });

  test("tells the news again when the machine's clock went wrong in another way", () => {
    machineTime = NOW + HOUR;
    refused();
    machineTime = NOW - HOUR;
    assert.deepEqual(refused(), { secondsAhead: -3600, isNews: true });
    assert.deepEqual(clock.now(), new Date(NOW));
  });

  test("is this machine's again when that was set right", () => {
    machineTime = NOW + HOUR;
    refused();
    machineTime = NOW;
    assert.deepEqual(clock.now(), new Date(NOW - HOUR));
    assert.deepEqual(refused(), { secondsAhead: 0, isNews: true });
    assert.deepEqual(clock.now(), new Date(NOW));
    assert.equal(refused(), undefined);
  });
});
