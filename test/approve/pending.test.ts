import assert from "node:assert/strict";
import { test } from "node:test";
import { createPendings, type Pending } from "../../src/approve/pending.ts";

function pending(name: string): Pending {
  return { state: `state of ${name}`, nonce: "", verifier: "", id: name, browser: undefined };
}

test("a request is found by its state and by its page, and by nothing else", () => {
  const pendings = createPendings(10, 1000, () => 0);
  const one = pending("one");
  pendings.add(one);
  assert.equal(pendings.ofState("state of one"), one);
  assert.equal(pendings.ofId("one"), one);
  assert.equal(pendings.ofState("one"), undefined);
  assert.equal(pendings.ofId("state of one"), undefined);
  assert.equal(pendings.ofId(""), undefined);
});

test("one that is too old is not found any more, and the oldest makes room", () => {
  let now = 0;
  const pendings = createPendings(2, 1000, () => now);
  pendings.add(pending("one"));
  now = 500;
  pendings.add(pending("two"));
  pendings.add(pending("three"));
  assert.equal(pendings.ofId("one"), undefined);
  assert.ok(pendings.ofId("two"));
  now = 1499;
  assert.ok(pendings.ofId("three"));
  now = 1500;
  assert.equal(pendings.ofId("two"), undefined);
  assert.equal(pendings.ofState("state of three"), undefined);
});
