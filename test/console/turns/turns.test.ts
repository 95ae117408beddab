import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { createTurns, type Turns } from "../../../src/console/turns/turns.ts";

const never = new AbortController().signal;

/** Takes a turn for each, and notes who has one. */
function takeFor(turns: Turns, names: string[], isSlow = false) {
  const has = new Set<string>();
  const ends = names.map((name) => {
    const turn = turns.take(name, isSlow);
    void turn.then(() => has.add(name));
    return async () => (await turn).end();
  });
  return { has: () => [...has], ends };
}

async function settle(): Promise<void> {
  for (let count = 0; count < 5; count++) await immediate();
}

test("so many tenants are worked on at once, of the slow ones a quarter", async () => {
  const turns = createTurns(8);
  const slow = takeFor(turns, ["a", "b", "c"], true);
  await settle();
  assert.deepEqual(slow.has(), ["a", "b"]);
  const others = takeFor(turns, ["1", "2", "3", "4", "5", "6", "7"]);
  await settle();
  assert.deepEqual(others.has(), ["1", "2", "3", "4", "5", "6"]);
  await slow.ends[0]!();
  await settle();
  assert.equal(slow.has().length + others.has().length, 9);
});

for (const isSlow of [false, true]) {
  test(`a ${isSlow ? "slow " : ""}tenant that waits lets others have its turn, and comes back`, async () => {
    const turns = createTurns(1);
    const { has, ends } = takeFor(turns, ["a", "b", "c"], isSlow);
    await settle();
    let isBack = false;
    const waited = turns.wait("a", 1, never).then(() => isBack = true);
    await settle();
    assert.deepEqual(has(), ["a", "b"]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(isBack, false);
    await ends[1]!();
    await ends[2]!();
    await waited;
    const next = takeFor(turns, ["d"]);
    await settle();
    assert.deepEqual(next.has(), []);
    await ends[0]!();
    await settle();
    assert.deepEqual(next.has(), ["d"]);
  });
}

test("several requests of a tenant that wait take one turn again, and not one each", async () => {
  const turns = createTurns(2);
  const { ends } = takeFor(turns, ["a"]);
  await settle();
  await Promise.all([
    turns.wait("a", 1, never),
    turns.wait("a", 2, never),
    turns.wait("a", 3, never),
  ]);
  const others = takeFor(turns, ["b", "c"]);
  await settle();
  assert.deepEqual(others.has(), ["b"]);
  await ends[0]!();
  await settle();
  assert.deepEqual(others.has(), ["b", "c"]);
});

test("a tenant that is stopped while it waits needs no turn to end", async () => {
  const turns = createTurns(1);
  const { has, ends } = takeFor(turns, ["a", "b"]);
  await settle();
  const stop = new AbortController();
  const waited = turns.wait("a", 60_000, stop.signal);
  await settle();
  assert.deepEqual(has(), ["a", "b"]);
  stop.abort();
  await waited;
  await ends[0]!();
  await ends[1]!();
  const next = takeFor(turns, ["c", "d"]);
  await settle();
  assert.deepEqual(next.has(), ["c"]);
});

test("what ends while it queues for its next turn leaves that to others", async () => {
  const turns = createTurns(1);
  const { ends } = takeFor(turns, ["a", "b"]);
  await settle();
  const waited = turns.wait("a", 1, never);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await ends[0]!();
  await ends[1]!();
  await waited;
  const next = takeFor(turns, ["c"]);
  await settle();
  assert.deepEqual(next.has(), ["c"]);
});

test("two rows of one tenant have a turn each, and end their own", async () => {
  const turns = createTurns(2);
  const { ends } = takeFor(turns, ["a", "a"]);
  await settle();
  const next = takeFor(turns, ["b", "c"]);
  await ends[0]!();
  await ends[0]!();
  await settle();
  assert.deepEqual(next.has(), ["b"]);
  await ends[1]!();
  await settle();
  assert.deepEqual(next.has(), ["b", "c"]);
});

test("a request that its script ends while it waits gives the script its turn again", async () => {
  const turns = createTurns(1);
  const { ends } = takeFor(turns, ["a"]);
  await settle();
  const enough = new AbortController();
  const waited = turns.wait("a", 60_000, never, enough.signal);
  enough.abort();
  await waited;
  const next = takeFor(turns, ["b"]);
  await settle();
  assert.deepEqual(next.has(), []);
  await ends[0]!();
  await settle();
  assert.deepEqual(next.has(), ["b"]);
});

test("where more are worked on at once, so are the slow ones' quarter", async () => {
  const turns = createTurns(4);
  const { has, ends } = takeFor(turns, ["a", "b", "c", "d"], true);
  await settle();
  assert.deepEqual(has(), ["a"]);
  turns.resize(12);
  await settle();
  assert.deepEqual(has(), ["a", "b", "c"]);
  turns.resize(4);
  await ends[0]!();
  await ends[1]!();
  await settle();
  assert.deepEqual(has(), ["a", "b", "c"]);
  await ends[2]!();
  await settle();
  assert.deepEqual(has(), ["a", "b", "c", "d"]);
});
