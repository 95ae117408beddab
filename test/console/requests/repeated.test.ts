import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { StoppedError } from "../../../src/console/errors.ts";
import { createHttpClient } from "../../../src/console/requests/httpClient.ts";
import { repeated } from "../../../src/console/requests/repeated.ts";
import { createTurns } from "../../../src/console/turns/turns.ts";
import {
  BusyError,
  DeniedError,
  JwtInvalidError,
  NetworkError,
  RequestTimeoutError,
  UnreadableAnswerError,
} from "../../../src/superoffice/errors.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  retryAfterMsOf,
  type Send,
} from "../../../src/superoffice/http.ts";
import { readTenantState } from "../../../src/superoffice/tenantState.ts";
import { makeTenants } from "../../support/sampleTenants.ts";
import { startTestStandIn } from "../../support/testStandIn.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const HOUR = 3600_000;
const { wait } = createTurns(1);

let clock: number;
let stop: AbortController;
/** How long it would have waited before each repeat, beside what an answer asked for. */
let waits: number[];
/** Whether those waits end. */
let waitsEnd: boolean;

const realSetTimeout = globalThis.setTimeout;
function useOwnTimers(): void {
  const setTimeout = (callback: () => void, ms: number) => {
    waits.push(ms);
    return waitsEnd ? realSetTimeout(callback, 0) : undefined;
  };
  globalThis.setTimeout = setTimeout as unknown as typeof globalThis.setTimeout;
}
const useRealTimers = () => globalThis.setTimeout = realSetTimeout;

beforeEach(() => {
  clock = 1_000_000;
  stop = new AbortController();
  waits = [];
  waitsEnd = true;
});

/** Lets everything that is due at once happen. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const request: HttpRequest = { purpose: "the test", url: "https://host/" };

/** An answer of that status, which may ask to wait for so many seconds. */
function answer(status: number, retryAfter?: number | string): HttpAnswer {
  const headers = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  return { purpose: "the test", host: "host", status, headers, bytes: new Uint8Array() };
}

const OK = answer(200);

/** Comes to the outcomes one after the other, answers or errors, then to 200; `seen` notes each request. */
function failing(outcomes: (HttpAnswer | Error)[]) {
  const left = [...outcomes];
  const seen: HttpRequest[] = [];
  const send: Send = (request) => {
    seen.push(request);
    const next = left.shift() ?? OK;
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
  return { send, seen };
}

describe("with timers that end at once, a request", () => {
  beforeEach(useOwnTimers);
  afterEach(useRealTimers);

  const run = (send: Send, timeoutMs = HOUR, more: Partial<HttpRequest> = {}) =>
    repeated(send, timeoutMs, stop.signal, () => clock, wait)({ ...request, ...more });

  test("that succeeds is made once, as it was given", async () => {
    const { send, seen } = failing([]);
    assert.equal(await run(send), OK);
    assert.deepEqual(seen, [request]);
    assert.deepEqual(waits, []);
  });

  const nameOf = (outcome: HttpAnswer | Error) =>
    outcome instanceof Error ? outcome.name : `status ${outcome.status}`;

  const passing = [
    new NetworkError("reset"),
    new RequestTimeoutError("slow"),
    ...[408, 429, 500, 502, 503, 504, 599].map((status) => answer(status)),
  ];
  for (const outcome of passing) {
    test(`is made again after ${nameOf(outcome)}`, async () => {
      const { send, seen } = failing([outcome]);
      assert.equal(await run(send), OK);
      assert.equal(seen.length, 2);
    });
  }

  const lasting = [
    ...[302, 400, 401, 403, 404, 409, 418, 421].map((status) => answer(status)),
    new DeniedError("denied"),
    new JwtInvalidError("forged"),
    new UnreadableAnswerError("no JSON"),
    new StoppedError("stopped"),
    new TypeError("a mistake in the program"),
    new Error("a mistake in the program"),
  ];
  for (const outcome of lasting) {
    test(`is not made again after ${nameOf(outcome)}`, async () => {
      const { send, seen } = failing([outcome]);
      if (outcome instanceof Error) await assert.rejects(run(send), outcome);
      else assert.equal(await run(send), outcome);
      assert.equal(seen.length, 1);
      assert.deepEqual(waits, []);
    });
  }

  for (const outcome of passing) {
    const isTold = "status" in outcome && [429, 503].includes(outcome.status);
    test(`that is to be made once only is ${isTold ? "" : "not "}made again after ${nameOf(outcome)}`, async () => {
      const { send, seen } = failing([outcome]);
      await run(send, HOUR, { onceOnly: true }).catch(() => {});
      assert.equal(seen.length, isTold ? 2 : 1);
    });
  }

  test("is made four times at most, and the last error is thrown", async () => {
    const errors = ["1st", "2nd", "3rd", "4th", "5th"].map((text) => new NetworkError(text));
    const { send, seen } = failing(errors);
    await assert.rejects(run(send), { message: "4th" });
    assert.equal(seen.length, 4);
  });

  test("that is answered with passing trouble alone comes to the last answer", async () => {
    const last = answer(502);
    const { send, seen } = failing([answer(503), answer(500), answer(504), last, answer(200)]);
    assert.equal(await run(send), last);
    assert.equal(seen.length, 4);
  });

  test("is not made again after lasting trouble that follows passing trouble", async () => {
    const { send, seen } = failing([new NetworkError("reset"), new DeniedError("denied")]);
    await assert.rejects(run(send), { code: "ACCESS_DENIED" });
    assert.equal(seen.length, 2);
  });

  test("waits longer each time, up to twice as long by chance", async () => {
    const { send } = failing([1, 2, 3].map(() => new NetworkError("reset")));
    await run(send);
    assert.equal(waits.length, 3);
    for (const [index, least] of [250, 500, 1000].entries()) {
      assert.ok(waits[index]! >= least && waits[index]! <= 2 * least, `${waits}`);
    }
  });

  test("gets only the time that is left for its repeats", async () => {
    const timeouts: (number | undefined)[] = [];
    const send: Send = ({ timeoutMs }) => {
      timeouts.push(timeoutMs);
      clock += 10_000;
      return timeouts.length < 4 ? Promise.reject(new NetworkError("reset")) : Promise.resolve(OK);
    };
    await run(send, 45_000);
    assert.deepEqual(timeouts, [undefined, 35_000, 25_000, 15_000]);
  });

  test("may have a time of its own", async () => {
    const { send, seen } = failing([new NetworkError("reset")]);
    await run(send, HOUR, { timeoutMs: 1000 });
    assert.deepEqual(seen, Array(2).fill({ ...request, timeoutMs: 1000 }));
  });

  for (const [number, longestWaitMs] of [[1, 500], [2, 1000], [3, 2000]] as const) {
    const errors = Array.from({ length: number }, (_, index) => new NetworkError(`${index + 1}`));

    test(`gives up at once when wait ${number} could end too late, with the last error`, async () => {
      const { send, seen } = failing(errors);
      await assert.rejects(run(send, longestWaitMs), { message: `${number}` });
      assert.equal(seen.length, number);
      assert.equal(waits.length, number - 1);
    });

    test(`is made again when wait ${number} cannot end too late`, async () => {
      const { send, seen } = failing(errors);
      assert.equal(await run(send, longestWaitMs + 1), OK);
      assert.equal(seen.length, number + 1);
    });
  }

  test("gives up when its attempts themselves took all the time", async () => {
    let attempts = 0;
    const send: Send = () => {
      clock += 20_000;
      return Promise.reject(new RequestTimeoutError(`${++attempts}`));
    };
    await assert.rejects(run(send, 40_000), { message: "2" });
  });

  for (const [asked, msLeft] of [[60, 60_500], [60, 30_000], ["9".repeat(400), HOUR]] as const) {
    test(`gives up at once when asked to wait ${Number(asked)} s of the ${msLeft} ms left`, async () => {
      const busy = answer(429, asked);
      const { send, seen } = failing([busy]);
      assert.equal(await run(send, msLeft), busy);
      assert.equal(seen.length, 1);
      assert.deepEqual(waits, []);
    });
  }
});

describe("a stop", () => {
  const reason = new StoppedError("Stopped before it was done");
  beforeEach(() => {
    waitsEnd = false;
    useOwnTimers();
  });
  afterEach(useRealTimers);

  const run = (send: Send, signal?: AbortSignal) =>
    repeated(send, Infinity, stop.signal, () => clock, wait)({ ...request, signal });

  test("before it begins makes no request, and its reason is thrown", async () => {
    const { send, seen } = failing([]);
    stop.abort(reason);
    await assert.rejects(run(send), reason);
    assert.equal(seen.length, 0);
  });

  for (const asked of [0, 3600]) {
    test(`ends the wait at once when ${asked} s were asked for, and its reason is thrown`, {
      timeout: 30_000,
    }, async () => {
      const { send, seen } = failing([answer(503, asked)]);
      const ended = assert.rejects(run(send), reason);
      await turns();
      assert.equal(seen.length, 1);
      stop.abort(reason);
      await ended;
      assert.equal(seen.length, 1);
      assert.equal(getEventListeners(stop.signal, "abort").length, 0);
    });
  }

  test("of the request itself ends the wait at once, with its own reason", {
    timeout: 30_000,
  }, async () => {
    const own = new AbortController();
    const { send, seen } = failing([answer(503, 3600)]);
    const ended = assert.rejects(run(send, own.signal), { message: "enough" });
    await turns();
    own.abort(new Error("enough"));
    await ended;
    assert.equal(seen.length, 1);
    assert.equal(getEventListeners(own.signal, "abort").length, 0);
    assert.equal(getEventListeners(stop.signal, "abort").length, 0);
  });
});

describe("a request to a real host", () => {
  const [tenant] = makeTenants(1);
  const { contextIdentifier } = tenant!;
  const started = startTestStandIn([tenant!], { now: () => NOW });
  after(async () => (await started).close());

  /** Reads a state after one answer of this kind, with so much time left. */
  async function readAfter(
    status: number,
    headers: Record<string, string>,
    msLeft: number,
  ): Promise<{ requests: number; result: unknown; askedMs: number | undefined }> {
    const standIn = await started;
    const before = standIn.counts.state;
    const endTrouble = standIn.misbehave({ at: "state", how: { status, headers }, times: 1 });
    let askedMs: number | undefined;
    const noting: Send = async (request) => {
      const answer = await createHttpClient(stop.signal)(request);
      askedMs ??= retryAfterMsOf(answer);
      return answer;
    };
    const send = repeated(noting, msLeft, stop.signal, () => clock, wait);
    const result = await readTenantState(contextIdentifier, standIn.loginUrl, send)
      .catch((error) => error);
    endTrouble();
    return { requests: standIn.counts.state - before, result, askedMs };
  }

  for (const status of [408, 429, 500, 503]) {
    test(`is made again after ${status}`, async () => {
      const { requests, result } = await readAfter(status, {}, HOUR);
      assert.equal(requests, 2);
      assert.ok(!(result instanceof Error));
    });
  }

  const date = (ms: number) => new Date(NOW + ms).toUTCString();
  for (const status of [429, 503]) {
    for (const [form, value] of [["seconds", "60"], ["a date", date(60_000)]] as const) {
      test(`is asked by ${status} to wait for a minute in the form of ${form}`, async () => {
        // The longest wait of the repeat itself is half a second.
        const { requests, result, askedMs } = await readAfter(
          status,
          { "Retry-After": value },
          60_500,
        );
        assert.equal(requests, 1);
        assert.ok(result instanceof BusyError);
        assert.equal(askedMs, 60_000);
      });
    }
  }

  const nothings = ["0", date(0), date(-HOUR), "soon", "-5", "1.5", ""];
  for (const value of nothings) {
    test(`is made again as if nothing was asked after «${value}»`, async () => {
      const { requests } = await readAfter(503, { "Retry-After": value }, 501);
      assert.equal(requests, 2);
    });
  }

  for (const [form, value] of [["seconds", "1"], ["a date", date(1000)]] as const) {
    test(`waits as long as it was asked to in the form of ${form}`, async () => {
      const standIn = await started;
      const events: string[] = [];
      const note = () => {
        events.push("request");
        // Later than the longest wait that was not asked for, earlier than the shortest that was.
        if (events.length === 1) setTimeout(() => events.push("700 ms"), 700);
      };
      standIn.events.on("request", note);
      const { requests } = await readAfter(429, { "Retry-After": value }, HOUR);
      standIn.events.off("request", note);
      assert.equal(requests, 2);
      assert.deepEqual(events, ["request", "700 ms", "request"]);
    });
  }

  test("that is under way ends at a stop, and is not made again", async () => {
    const standIn = await started;
    const endTrouble = standIn.misbehave({ at: "state", how: "hang" });
    const before = standIn.counts.state;
    standIn.events.once("request", () => stop.abort());
    const client = createHttpClient(stop.signal);
    const send = repeated(client, HOUR, stop.signal, () => clock, wait);
    await assert.rejects(readTenantState(contextIdentifier, standIn.loginUrl, send), {
      code: "STOPPED",
    });
    endTrouble();
    assert.equal(standIn.counts.state - before, 1);
  });
});

test("a tenant whose request waits to be repeated lets another be worked on meanwhile", async () => {
  const turns = createTurns(1);
  const own = await turns.take("Cust1", false);
  const { send } = failing([answer(503, 1)]);
  const sent = repeated(send, HOUR, stop.signal, () => clock, turns.wait)({
    ...request,
    contextIdentifier: "Cust1",
  });
  const others = await turns.take("Cust2", false);
  others.end();
  assert.equal((await sent).status, 200);
  own.end();
});

test("the time that it waits for its next turn is not the request's", async () => {
  const { send, seen } = failing([answer(503)]);
  const late = (_: unknown, ms: number) => Promise.resolve(void (clock += ms + HOUR));
  await repeated(send, 10_000, stop.signal, () => clock, late)(request);
  assert.ok(seen[1]!.timeoutMs! > 9000, `${seen[1]!.timeoutMs} ms were left`);
});
