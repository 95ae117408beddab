import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { createAlarm } from "../../src/console/alarm.ts";

test("those whose times end in the same step wait together, and nothing is left of it", async () => {
  const stop = new AbortController();
  const waitFor = createAlarm(10, stop.signal, () => 1000);
  const [one, other, later] = [waitFor(1), waitFor(10), waitFor(11)];
  assert.equal(one, other);
  assert.notEqual(one, later);
  assert.equal(getEventListeners(stop.signal, "abort").length, 2);
  await Promise.all([one, later]);
  assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  const again = waitFor(1);
  assert.notEqual(again, one);
  await again;
});

test("a stop ends every wait", async () => {
  const stop = new AbortController();
  const waitFor = createAlarm(10, stop.signal, () => 1000);
  const waits = [waitFor(60_000), waitFor(90_000)];
  stop.abort();
  await Promise.all(waits);
});
