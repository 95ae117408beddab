import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { createHoldings, type Holdings } from "../../../src/console/share/holdings.ts";
import type { Batch } from "../../../src/database/division.ts";

let holdings: Holdings;
beforeEach(() => holdings = createHoldings());

function batchOf(id: string, ...customerIds: string[]): Batch {
  return { claim: { id, retryCount: 0 }, isRest: false, customerIds };
}

test("a batch is finished with its last customer, and to be told until it was", () => {
  const batch = batchOf("a", "1", "2");
  holdings.take(batch, 0);
  holdings.begin("1");
  holdings.finish("1");
  assert.deepEqual(holdings.finished(), []);
  holdings.finish("2");
  assert.deepEqual(holdings.finished(), [batch]);
  const told = holdings.finished();
  // One that is finished while these are told is to be told yet.
  const later = { ...batch, claim: { id: "later", retryCount: 0 }, customerIds: ["77"] };
  holdings.take(later, 0);
  holdings.finish("77");
  holdings.told(told);
  assert.deepEqual(holdings.finished(), [later]);
  holdings.told(holdings.finished());
  assert.deepEqual(holdings.finished(), []);
  assert.deepEqual(holdings.all(), []);
  holdings.finish("2");
  assert.deepEqual(holdings.finished(), []);
});

test("who is begun waits no more, and is left until it is finished", () => {
  const holding = holdings.take(batchOf("a", "1", "2"), 0);
  holdings.begin("1");
  assert.deepEqual([[...holding.waiting], [...holding.left]], [["2"], ["1", "2"]]);
  holdings.finish("1");
  assert.deepEqual([[...holding.waiting], [...holding.left]], [["2"], ["2"]]);
});

test("who was to begin, and did not, waits again, unless others have it", () => {
  const holding = holdings.take(batchOf("a", "1", "2"), 0);
  for (const id of ["1", "2"]) holdings.begin(id);
  holdings.lose(holding, ["2"]);
  for (const id of ["1", "2"]) holdings.leave(id);
  assert.deepEqual([[...holding.waiting], [...holding.left]], [["1"], ["1"]]);
});

test("what others have meanwhile is held no more, and not told as finished", () => {
  const holding = holdings.take(batchOf("a", "1", "2"), 0);
  holdings.lose(holding, holding.left);
  assert.equal(holdings.of("1"), undefined);
  assert.deepEqual(holdings.all(), []);
  for (const id of ["1", "2"]) holdings.finish(id);
  assert.deepEqual(holdings.finished(), []);
});

test("a customer that comes again in another batch is that one's, whatever becomes of the first", () => {
  const first = holdings.take(batchOf("a", "1", "2"), 0);
  const again = holdings.take(batchOf("a again", "1"), 1);
  assert.equal(holdings.of("1"), again);
  holdings.lose(first, first.left);
  assert.equal(holdings.of("1"), again);
  holdings.finish("1");
  assert.deepEqual(holdings.finished(), [again.batch]);
});

test("a batch that was lost, and is had again, is held once", () => {
  holdings.take(batchOf("a", "1", "2"), 0);
  const again = holdings.take({ ...batchOf("a", "1", "2"), claim: { id: "a", retryCount: 1 } }, 1);
  assert.deepEqual(holdings.all(), [again]);
  for (const id of ["1", "2"]) holdings.finish(id);
  assert.deepEqual(holdings.finished(), [again.batch]);
});

test("a batch that is divided goes on under its new claim", () => {
  const holding = holdings.take(batchOf("a", "1", "2"), 0);
  holdings.finish("2");
  holding.isDividing = true;
  const rest = { ...batchOf("rest", "1"), isRest: true };
  holdings.divided(holding, rest);
  assert.deepEqual(holdings.all(), [holding]);
  holdings.finish("1");
  assert.deepEqual(holdings.finished(), [rest]);
});

test("a customer that is finished while its batch is divided has the new claim finished", () => {
  const holding = holdings.take(batchOf("a", "1", "2"), 0);
  holdings.finish("2");
  holding.isDividing = true;
  holdings.finish("1");
  assert.deepEqual(holdings.finished(), []);
  const rest = { ...batchOf("rest", "1"), isRest: true };
  holdings.divided(holding, rest);
  assert.deepEqual(holdings.finished(), [rest]);
  assert.deepEqual(holdings.all(), []);
});

test("a batch of which nothing is kept, or that was lost, is held no more", () => {
  const holding = holdings.take(batchOf("a", "1", "2"), 0);
  holdings.begin("1");
  holding.isDividing = true;
  holdings.divided(holding, undefined);
  assert.deepEqual([holdings.all(), holdings.of("1"), holdings.of("2")], [
    [],
    undefined,
    undefined,
  ]);
});
