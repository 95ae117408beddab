import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { everySoOften } from "../../src/console/loop.ts";

const HOUR = 3600_000;

/** Lets everything that is due at once happen. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A promise, and what resolves it. */
function gate(): { promise: Promise<void>; open: () => void } {
  let open = () => {};
  const promise = new Promise<void>((resolve) => open = resolve);
  return { promise, open };
}

const done = { done: Promise.resolve() };

describe("the loop", () => {
  // Were the hour counted from a poll's end, this test would take hours.
  test(
    "counts from the start of a poll to the start of the next",
    { timeout: 30_000 },
    async () => {
      const stop = new AbortController();
      let clock = 0;
      const starts: number[] = [];
      await everySoOften(
        () => {
          starts.push(clock);
          if (starts.length === 3) stop.abort();
          clock += HOUR - 1;
          return Promise.resolve(done);
        },
        HOUR,
        stop.signal,
        () => clock,
      );
      assert.deepEqual(starts, [0, HOUR - 1, 2 * (HOUR - 1)]);
    },
  );

  test("starts the next poll at once when taking the customers took longer", {
    timeout: 30_000,
  }, async () => {
    const stop = new AbortController();
    let clock = 0;
    let polls = 0;
    await everySoOften(
      () => {
        if (++polls === 3) stop.abort();
        clock += 5 * HOUR;
        return Promise.resolve(done);
      },
      HOUR,
      stop.signal,
      () => clock,
    );
    assert.equal(polls, 3);
  });

  test("starts the next poll while an earlier one is under way", { timeout: 30_000 }, async () => {
    const stop = new AbortController();
    const slow = gate();
    const second = gate();
    let clock = 0;
    let polls = 0;
    const loop = everySoOften(
      () => {
        clock += HOUR;
        if (++polls === 1) return Promise.resolve({ done: slow.promise });
        stop.abort();
        second.open();
        return Promise.resolve(done);
      },
      HOUR,
      stop.signal,
      () => clock,
    );
    await second.promise;
    slow.open();
    await loop;
    assert.equal(polls, 2);
  });

  test("does not start the next poll before its time, and stops its sleep at once", {
    timeout: 30_000,
  }, async () => {
    const stop = new AbortController();
    const started = gate();
    let polls = 0;
    const loop = everySoOften(
      () => {
        // Ends a loop that does not sleep.
        if (++polls === 10) stop.abort();
        started.open();
        return Promise.resolve(done);
      },
      HOUR,
      stop.signal,
      () => 0,
    );
    await started.promise;
    await turns();
    assert.equal(polls, 1);
    stop.abort();
    await loop;
    assert.equal(polls, 1);
  });

  test("does not start the next poll before the last one has taken its customers", async () => {
    const stop = new AbortController();
    const taking = gate();
    let clock = 0;
    let polls = 0;
    const loop = everySoOften(
      async () => {
        if (++polls === 2) stop.abort();
        clock += 5 * HOUR;
        await taking.promise;
        return done;
      },
      HOUR,
      stop.signal,
      () => clock,
    );
    await turns();
    assert.equal(polls, 1);
    taking.open();
    await loop;
    assert.equal(polls, 2);
  });

  test("waits for all polls under way when it is stopped", async () => {
    const stop = new AbortController();
    const works = [gate(), gate()];
    let clock = 0;
    let polls = 0;
    let ended = false;
    const loop = everySoOften(
      () => {
        clock += HOUR;
        const work = works[polls++]!;
        if (polls === works.length) stop.abort();
        return Promise.resolve({ done: work.promise });
      },
      HOUR,
      stop.signal,
      () => clock,
    ).then(() => ended = true);
    await turns();
    assert.equal(polls, 2);
    for (const work of works) {
      assert.equal(ended, false);
      work.open();
      await turns();
    }
    await loop;
  });

  test("starts nothing when it was stopped before", async () => {
    await everySoOften(
      () => assert.fail("a poll was started"),
      HOUR,
      AbortSignal.abort(),
      () => 0,
    );
  });
});
