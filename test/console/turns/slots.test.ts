import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createSlots } from "../../../src/console/turns/slots.ts";

test("slots let so many in at once, and the others in the order in which they came", async () => {
  const slots = createSlots(2);
  const inside: string[] = [];
  for (const name of ["a", "b", "c", "d"]) void slots.take().then(() => inside.push(name));
  await turn();
  assert.deepEqual(inside, ["a", "b"]);
  slots.free();
  await turn();
  assert.deepEqual(inside, ["a", "b", "c"]);
  slots.free();
  slots.free();
  slots.free();
  await turn();
  assert.deepEqual(inside, ["a", "b", "c", "d"]);
});

test("a slot that is given back to nobody is there for the next", async () => {
  const slots = createSlots(1);
  await slots.take();
  slots.free();
  await slots.take();
  let isIn = false;
  void slots.take().then(() => isIn = true);
  await turn();
  assert.equal(isIn, false);
});

test("more slots let those in who wait; fewer let nobody in until enough were given back", async () => {
  const slots = createSlots(1);
  const inside: string[] = [];
  for (const name of ["a", "b", "c", "d", "e"]) void slots.take().then(() => inside.push(name));
  await turn();
  assert.equal(slots.isCrowded(), true);
  slots.resize(3);
  await turn();
  assert.deepEqual(inside, ["a", "b", "c"]);
  slots.resize(1);
  slots.free();
  slots.free();
  await turn();
  assert.deepEqual(inside, ["a", "b", "c"]);
  slots.free();
  slots.free();
  await turn();
  assert.deepEqual(inside, ["a", "b", "c", "d", "e"]);
  assert.equal(slots.isCrowded(), false);
});
