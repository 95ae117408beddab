import assert from "node:assert/strict";
import { test } from "node:test";
import { createPendings, type Pending, type Pendings } from "../../src/approve/pending.ts";

function pending(name: string): Pending {
  return { state: `state of ${name}`, nonce: "", verifier: "", browser: undefined };
}

/** Adds one to which an answer came, whose outcome is shown by this name. */
function addAnswered(pendings: Pendings, name: string): Pending {
  const one = pending(name);
  pendings.add(one);
  pendings.put(one, { values: new URLSearchParams(), id: name });
  return one;
}

test("a request is found by its state and by its page, and by nothing else", () => {
  const pendings = createPendings(10, 1000, () => 0);
  const one = addAnswered(pendings, "one");
  assert.equal(pendings.ofState("state of one"), one);
  assert.equal(pendings.ofId("one"), one);
  assert.equal(pendings.ofState("one"), undefined);
  assert.equal(pendings.ofId("state of one"), undefined);
  assert.equal(pendings.ofId(""), undefined);
});

test("one that is too old is not found any more, and the oldest makes room", () => {
  let now = 0;
  const pendings = createPendings(2, 1000, () => now);
  addAnswered(pendings, "one");
  now = 500;
  addAnswered(pendings, "two");
  addAnswered(pendings, "three");
  assert.equal(pendings.ofId("one"), undefined);
  assert.ok(pendings.ofId("two"));
  now = 1499;
  assert.ok(pendings.ofId("three"));
  now = 1500;
  assert.equal(pendings.ofId("two"), undefined);
  assert.equal(pendings.ofState("state of three"), undefined);
});

test("an answer that takes the place of another has a page of its own", () => {
  const pendings = createPendings(10, 1000, () => 0);
  const one = addAnswered(pendings, "first");
  pendings.put(one, { values: new URLSearchParams(), id: "second" });
  assert.equal(pendings.ofId("first"), undefined);
  assert.equal(pendings.ofId("second"), one);
});
