import assert from "node:assert/strict";
import { getEventListeners, setMaxListeners } from "node:events";
import { afterEach, beforeEach, describe, test } from "node:test";
import { StoppedError } from "../../../src/console/errors.ts";
import { paced } from "../../../src/console/requests/pace.ts";
import { repeated } from "../../../src/console/requests/repeated.ts";
import { createTurns, type Turns } from "../../../src/console/turns/turns.ts";
import type { HttpAnswer, HttpRequest, Send } from "../../../src/superoffice/http.ts";

const PER_SECOND = 10;

let clock: number;
/** What is to happen, and when. */
let timers: { atMs: number; happen: () => void }[];
let stop: AbortController;
let turns: Turns;
/** When each tenant got its requests. */
let arrivals: Map<string, number[]>;
/** How many milliseconds a request takes on its way there, and its answer on its way back. */
let way: () => [there: number, back: number];
let send: (request: HttpRequest) => Promise<HttpAnswer>;
let waitedMs: number;

const realTimers = [globalThis.setTimeout, globalThis.clearTimeout] as const;

function useOwnTimers(): void {
  const later = (happen: (...args: unknown[]) => void, ms: number, ...args: unknown[]) => {
    const timer = { atMs: clock + ms, happen: () => happen(...args) };
    timers.push(timer);
    return timer;
  };
  globalThis.setTimeout = later as unknown as typeof setTimeout;
  globalThis.clearTimeout =
    ((timer: unknown) => timers = timers.filter((other) => other !== timer)) as typeof clearTimeout;
}

beforeEach(() => {
  useOwnTimers();
  clock = 1_000_000;
  timers = [];
  stop = new AbortController();
  setMaxListeners(0, stop.signal);
  turns = createTurns(1);
  arrivals = new Map();
  way = () => [5, 5];
  waitedMs = 0;
  send = pacedSend();
});
afterEach(() => [globalThis.setTimeout, globalThis.clearTimeout] = realTimers);

function pacedSend(): typeof send {
  const whenDue = paced(tenants, PER_SECOND, stop.signal, () => clock, turns.aside);
  return (request) => whenDue(request, (ms) => void (waitedMs += ms));
}

/** The tenants on the other side. */
const tenants: Send = async ({ contextIdentifier = "", purpose }) => {
  const [there, back] = way();
  await passing(there);
  arrivals.set(contextIdentifier, [...arrivals.get(contextIdentifier) ?? [], clock]);
  await passing(back);
  return { purpose, host: "host", status: 200, headers: {}, bytes: new Uint8Array() };
};

const passing = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms));

/** Lets everything that is due at once happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets the time pass until nothing is left to happen, or for so long. */
async function pass(ms = Infinity): Promise<void> {
  const untilMs = clock + ms;
  while (true) {
    await settle();
    const next = timers.toSorted((one, other) => one.atMs - other.atMs)[0];
    if (next === undefined || next.atMs > untilMs) break;
    timers.splice(timers.indexOf(next), 1);
    clock = Math.max(clock, next.atMs);
    next.happen();
  }
  if (ms !== Infinity) clock = untilMs;
}

const callTo = (tenant: string, signal?: AbortSignal) =>
  send({ purpose: "the call", url: "https://host/", contextIdentifier: tenant, signal });

/** The most that arrived in any second. */
function mostInASecond(tenant: string): number {
  const all = arrivals.get(tenant)!.toSorted((one, other) => one - other);
  const counts = all.map((from) => all.filter((at) => at >= from && at < from + 1000).length);
  return Math.max(...counts);
}

/** The same odd numbers in every run. */
function createRandom(): () => number {
  let state = 1;
  return () => (state = state * 16807 % 2147483647) / 2147483647;
}

describe("a script that makes 200 calls to one tenant", () => {
  const ways: Record<string, () => () => [number, number]> = {
    "that is near": () => () => [0, 0],
    "that is far": () => () => [50, 50],
    "with an uneven way there and back": () => {
      const random = createRandom();
      return () => [random() * 900, random() * 300];
    },
  };
  for (const [where, makeWay] of Object.entries(ways)) {
    for (const how of ["one after the other", "all at once", "three at a time"]) {
      test(`${where}, ${how}, makes ten in any second at most`, async () => {
        way = makeWay();
        const callers = how === "all at once" ? 200 : how === "three at a time" ? 3 : 1;
        let left = 200;
        const caller = async () => {
          while (left-- > 0) await callTo("Cust1");
        };
        const calling = Promise.all(Array.from({ length: callers }, caller));
        await pass();
        await calling;
        assert.equal(arrivals.get("Cust1")?.length, 200);
        assert.ok(mostInASecond("Cust1") <= PER_SECOND, `${mostInASecond("Cust1")}`);
      });
    }
  }

  test("is not held up more than it has to be", async () => {
    way = () => [0, 0];
    const calling = Promise.all(Array.from({ length: 200 }, () => callTo("Cust1")));
    await pass();
    await calling;
    assert.equal(clock, 1_000_000 + 19_000);
  });
});

test("calls that keep to the pace by themselves do not wait", async () => {
  for (let call = 0; call < 50; call++) {
    const calling = callTo("Cust1");
    await pass();
    await calling;
    await pass(100);
  }
  assert.equal(waitedMs, 0);
});

test("what is for no tenant is sent at once, however much of it", async () => {
  const sending = Promise.all(
    Array.from({ length: 100 }, () => send({ purpose: "the keys", url: "https://host/" })),
  );
  await pass(10);
  await sending;
  assert.equal(waitedMs, 0);
});

test("a neighbour goes on meanwhile, also where one turn is all that there is", async () => {
  const own = await turns.take("Cust1", false);
  const calling = Promise.all(Array.from({ length: 30 }, () => callTo("Cust1")));
  const neighbour = turns.take("Cust2", false).then(async (turn) => {
    await callTo("Cust2");
    turn.end();
  });
  await pass(100);
  await neighbour;
  assert.equal(arrivals.get("Cust2")?.length, 1);
  assert.equal(arrivals.get("Cust1")?.length, 10);
  await pass();
  await calling;
  own.end();
  assert.equal(arrivals.get("Cust1")?.length, 30);
});

test("a signal ends the waiting of its request, and leaves its place to the next", async () => {
  const { signal } = new AbortController();
  const enough = new AbortController();
  const first = Promise.all(Array.from({ length: 10 }, () => callTo("Cust1", signal)));
  const given = callTo("Cust1", enough.signal);
  const next = callTo("Cust1", signal);
  await pass(100);
  enough.abort(new Error("enough"));
  await assert.rejects(given, { message: "enough" });
  await pass();
  await Promise.all([first, next]);
  assert.equal(arrivals.get("Cust1")?.length, 11);
  assert.equal(clock, 1_000_000 + 1020);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(getEventListeners(enough.signal, "abort").length, 0);
});

test("a stop ends the waiting of all", async () => {
  const calling = Array.from({ length: 30 }, () => callTo("Cust1"));
  const ended = Promise.allSettled(calling);
  await pass(100);
  stop.abort(new StoppedError("Stopped during the call"));
  const outcomes = await ended;
  const stopped = outcomes.filter(({ status }) => status === "rejected");
  assert.equal(stopped.length, 20);
  await pass();
  assert.equal(arrivals.get("Cust1")?.length, 10);
});

test("what it waits for is not the request's own time, and each repeat keeps to the pace", async () => {
  const timeouts: (number | undefined)[] = [];
  const busy = paced(
    async (request) => {
      timeouts.push(request.timeoutMs);
      return { ...await tenants(request), status: timeouts.length > 60 ? 200 : 503 };
    },
    PER_SECOND,
    stop.signal,
    () => clock,
    turns.aside,
  );
  const patient = repeated(busy, 30_000, stop.signal, () => clock, turns.wait);
  const request = { purpose: "the call", url: "https://host/", contextIdentifier: "Cust1" };
  const calling = Promise.all(Array.from({ length: 30 }, () => patient(request)));
  await pass();
  await calling;
  // Each was tried four times, or until it got through.
  assert.ok(timeouts.length > 60, `${timeouts.length}`);
  assert.ok(mostInASecond("Cust1") <= PER_SECOND);
  // The waiting took seconds: without it a request and its first waits take less than three.
  const least = Math.min(...timeouts.filter((ms) => ms !== undefined));
  assert.ok(least > 27_000 - 1, `${least}`);
});
