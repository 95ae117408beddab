import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { createConcurrency, LEAST, MOST } from "../../../src/console/turns/concurrency.ts";
import { RequestTimeoutError } from "../../../src/superoffice/errors.ts";
import type { HttpAnswer, Send } from "../../../src/superoffice/http.ts";

const POLL_MS = 15_000;

/** What is on the other side: each call takes so long, and no more than so many end in a second. */
interface OtherSide {
  latencyMs: number;
  perSecond?: number;
}

let clock: number;
/** All numbers that there were, one after the other. */
let numbers: number[];
let concurrency: ReturnType<typeof createConcurrency>;
const atOnce = () => numbers.at(-1)!;
const most = () => Math.max(...numbers);

beforeEach(() => {
  clock = 1_000_000;
  numbers = [LEAST];
  concurrency = createConcurrency((number) => numbers.push(number), POLL_MS, () => clock);
});

/** Works a poll off, and waits for the next beat; gives how long the poll took. */
function poll(customers: number, { latencyMs, perSecond = Infinity }: OtherSide): number {
  const beganMs = clock;
  const ends: number[] = [];
  let left = customers;
  let lastEndMs = clock;
  concurrency.pollBegins();
  while (left + ends.length > 0) {
    for (; left > 0 && ends.length < atOnce(); left--) {
      lastEndMs = Math.max(clock + latencyMs, lastEndMs + 1000 / perSecond);
      ends.push(lastEndMs);
    }
    clock = ends.shift()!;
    concurrency.turnEnds(left > 0);
  }
  const tookMs = clock - beganMs;
  clock = Math.max(clock, beganMs + POLL_MS);
  return tookMs;
}

/** Asks for each of these customers once, and gets this. */
async function ask(customers: string[], what: number | Error): Promise<void> {
  const client: Send = ({ purpose }) =>
    typeof what === "number"
      ? Promise.resolve({ purpose, host: "tenant.example", status: what } as HttpAnswer)
      : Promise.reject(what);
  const send = concurrency.heeding(client);
  for (const contextIdentifier of customers) {
    const request = { purpose: "the call", url: "https://tenant.example/", contextIdentifier };
    await send(request).catch(() => {});
  }
}

const names = (count: number, first = 1) =>
  Array.from({ length: count }, (_, index) => `Cust${first + index}`);
const silence = () => new RequestTimeoutError("no answer", "tenant.example");

describe("as many at once as the beat needs", () => {
  test("are more within the first poll, where people wait and it takes long", () => {
    assert.ok(poll(10_000, { latencyMs: 50 }) < POLL_MS / 2);
    assert.ok(most() <= MOST);
    assert.ok(atOnce() > LEAST);
  });

  test("stay 32 where a poll is done early", () => {
    for (let count = 0; count < 5; count++) poll(1000, { latencyMs: 50 });
    assert.deepEqual(numbers, [LEAST]);
  });

  test("stay 32 where nobody waits, however long a poll takes", () => {
    for (let count = 0; count < 5; count++) poll(LEAST, { latencyMs: 14_000 });
    assert.deepEqual(numbers, [LEAST]);
  });

  test("are no more where no more is done for it, which is not tried again at once", () => {
    const polls = 40;
    for (let count = 0; count < polls; count++) poll(8000, { latencyMs: 50, perSecond: 500 });
    assert.equal(atOnce(), LEAST);
    assert.equal(most(), LEAST * 1.5);
    const tries = numbers.filter((number) => number > LEAST).length;
    assert.ok(tries >= 2 && tries < polls / 2, `${tries}`);
  });

  test("are as many as are of use", () => {
    for (let count = 0; count < 10; count++) poll(15_000, { latencyMs: 50, perSecond: 1200 });
    // 60 would do.
    assert.ok(atOnce() > 48 && atOnce() <= 108, `${atOnce()}`);
  });

  test("settle where polls are alike, and each is in time", () => {
    for (let count = 0; count < 30; count++) poll(10_000, { latencyMs: 50 });
    const settled = atOnce();
    for (let count = 0; count < 10; count++) {
      assert.ok(poll(10_000, { latencyMs: 50 }) <= POLL_MS / 2);
    }
    assert.equal(atOnce(), settled);
  });

  test("are fewer, little by little, when polls are done early again", () => {
    poll(10_000, { latencyMs: 50 });
    const before = numbers.length;
    for (let count = 0; count < 40; count++) poll(100, { latencyMs: 50 });
    const since = numbers.slice(before - 1);
    for (const [index, number] of since.slice(1).entries()) {
      assert.ok(number < since[index]! && number >= since[index]! * 0.8);
    }
    assert.equal(atOnce(), LEAST);
  });

  test("are told once after each change", () => {
    assert.equal(concurrency.takeChange(), undefined);
    poll(10_000, { latencyMs: 50 });
    const change = concurrency.takeChange();
    assert.deepEqual(change, { concurrency: atOnce(), isForTrouble: false });
    assert.equal(concurrency.takeChange(), undefined);
  });
});

describe("in trouble", () => {
  for (const status of [429, 503]) {
    test(`status ${status} for three customers shortly one after the other halves it`, async () => {
      await ask(names(100), 200);
      await ask(names(2), status);
      assert.equal(atOnce(), 32);
      await ask(names(1, 3), status);
      assert.equal(atOnce(), 16);
      assert.deepEqual(concurrency.takeChange(), { concurrency: 16, isForTrouble: true });
    });
  }

  test("one customer's halves nothing, however often it comes", async () => {
    for (let count = 0; count < 50; count++) {
      await ask(names(1), 503);
      await ask(names(1), silence());
      await ask(names(1), 200);
    }
    assert.deepEqual(numbers, [LEAST]);
  });

  test("few among many halve nothing", async () => {
    for (let count = 1; count < 20; count++) {
      await ask(names(1, count), 503);
      await ask(names(80), 200);
    }
    assert.deepEqual(numbers, [LEAST]);
  });

  test("the same few that are busy at every poll, and else are not, are heeded once in a long time", async () => {
    for (let count = 0; count < 10; count++) {
      await ask(names(3), 503);
      await ask(names(100), 200);
      clock += POLL_MS;
    }
    assert.equal(atOnce(), 16);
  });

  test("those who never get an answer count once", async () => {
    for (let count = 0; count < 5; count++) {
      await ask(names(10), 503);
      clock += POLL_MS;
    }
    assert.equal(atOnce(), 16);
  });

  test("it is halved once in some seconds, and not below 8", async () => {
    for (let count = 0; count < 5; count++) {
      await ask(names(30), 503);
      await ask(names(30), 200);
    }
    assert.equal(atOnce(), 16);
    for (let count = 0; count < 5; count++) {
      clock += 6000;
      await ask(names(30), 503);
      await ask(names(30), 200);
    }
    assert.equal(atOnce(), 8);
  });

  test("silence takes back what was more than 32, and no more", async () => {
    poll(10_000, { latencyMs: 50 });
    for (let count = 0; count < 5; count++) {
      clock += 6000;
      await ask(names(100, 1 + 100 * count), silence());
    }
    assert.equal(atOnce(), LEAST);
  });

  test("it is not more for a while, and then 32 again, also where nobody waits", async () => {
    await ask(names(3), 503);
    poll(8000, { latencyMs: 50 });
    assert.equal(atOnce(), 16);
    clock += 60_000;
    poll(10, { latencyMs: 50 });
    assert.equal(atOnce(), LEAST);
  });
});
