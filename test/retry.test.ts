import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import {
  BusyError,
  DeniedError,
  ForbiddenError,
  JwtInvalidError,
  NetworkError,
  NotFoundError,
  RedirectError,
  RequestTimeoutError,
  StoppedError,
  TenantMovedError,
  UnexpectedStatusError,
  UnreadableAnswerError,
} from "../src/errors.ts";
import type { HttpOptions } from "../src/http.ts";
import { createHttpClient } from "../src/httpClient.ts";
import { retry } from "../src/retry.ts";
import { readTenantState } from "../src/tenantState.ts";
import { makeTenants } from "./sampleTenants.ts";
import { startTestStandIn } from "./testStandIn.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const HOUR = 3600_000;

let clock: number;
let stop: AbortController;
let http: HttpOptions;
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
  http = { send: createHttpClient(), timeoutMs: 30_000, signal: stop.signal };
  waits = [];
  waitsEnd = true;
});

/** Lets everything that is due at once happen. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Throws the errors one after the other, then gives "done"; `seen` notes the options of each attempt. */
function failing(errors: unknown[]) {
  const left = [...errors];
  const seen: HttpOptions[] = [];
  const attempt = (options: HttpOptions): Promise<string> => {
    seen.push(options);
    return left.length > 0 ? Promise.reject(left.shift()) : Promise.resolve("done");
  };
  return { attempt, seen };
}

describe("with timers that end at once, a request", () => {
  beforeEach(useOwnTimers);
  afterEach(useRealTimers);

  const run = (attempt: (http: HttpOptions) => Promise<string>, msLeft = HOUR) =>
    retry(attempt, http, clock + msLeft, () => clock);

  test("that succeeds is made once", async () => {
    const { attempt, seen } = failing([]);
    assert.equal(await run(attempt), "done");
    assert.deepEqual(seen, [http]);
    assert.deepEqual(waits, []);
  });

  const passing = [
    new NetworkError("reset"),
    new RequestTimeoutError("slow"),
    new UnexpectedStatusError("answered", 408),
    ...[429, 500, 502, 503, 504, 599].map((status) => new BusyError("answered", status)),
  ];
  for (const error of passing) {
    const status = error instanceof UnexpectedStatusError ? ` with status ${error.status}` : "";
    test(`is made again after ${error.name}${status}`, async () => {
      const { attempt, seen } = failing([error]);
      assert.equal(await run(attempt), "done");
      assert.equal(seen.length, 2);
    });
  }

  const lasting = [
    ...[400, 401, 409, 418].map((status) => new UnexpectedStatusError("answered", status)),
    new RedirectError("answered", 302),
    new ForbiddenError("answered", 403),
    new NotFoundError("answered", 404),
    new TenantMovedError("answered", 421),
    new DeniedError("denied"),
    new JwtInvalidError("forged"),
    new UnreadableAnswerError("no JSON"),
    new StoppedError("stopped"),
    new TypeError("a mistake in the program"),
    new Error("a mistake in the program"),
  ];
  for (const error of lasting) {
    const status = error instanceof UnexpectedStatusError ? ` with status ${error.status}` : "";
    test(`is not made again after ${error.name}${status}`, async () => {
      const { attempt, seen } = failing([error]);
      await assert.rejects(run(attempt), error);
      assert.equal(seen.length, 1);
      assert.deepEqual(waits, []);
    });
  }

  test("is made four times at most, and the last error is thrown", async () => {
    const errors = ["1st", "2nd", "3rd", "4th", "5th"].map((text) => new NetworkError(text));
    const { attempt, seen } = failing(errors);
    await assert.rejects(run(attempt), { message: "4th" });
    assert.equal(seen.length, 4);
  });

  test("is not made again after lasting trouble that follows passing trouble", async () => {
    const { attempt, seen } = failing([new NetworkError("reset"), new DeniedError("denied")]);
    await assert.rejects(run(attempt), { code: "ACCESS_DENIED" });
    assert.equal(seen.length, 2);
  });

  test("waits longer each time, up to twice as long by chance", async () => {
    const { attempt } = failing([1, 2, 3].map(() => new NetworkError("reset")));
    await run(attempt);
    assert.equal(waits.length, 3);
    for (const [index, least] of [250, 500, 1000].entries()) {
      assert.ok(waits[index]! >= least && waits[index]! <= 2 * least, `${waits}`);
    }
  });

  test("gets only the time that is left for its repeats", async () => {
    const timeouts: number[] = [];
    const attempt = ({ timeoutMs }: HttpOptions): Promise<string> => {
      timeouts.push(timeoutMs);
      clock += 10_000;
      return timeouts.length < 4 ? Promise.reject(new NetworkError("reset")) : Promise.resolve("");
    };
    await run(attempt, 45_000);
    assert.deepEqual(timeouts, [30_000, 30_000, 25_000, 15_000]);
  });

  test("keeps the other options for its repeats", async () => {
    const { attempt, seen } = failing([new NetworkError("reset")]);
    await run(attempt, 1000);
    assert.deepEqual(seen, [http, { ...http, timeoutMs: 1000 }]);
  });

  test("is made in any case, even when there is no time left", async () => {
    const { attempt, seen } = failing([]);
    assert.equal(await run(attempt, -1), "done");
    assert.deepEqual(seen, [http]);
  });

  for (const [number, longestWaitMs] of [[1, 500], [2, 1000], [3, 2000]] as const) {
    const errors = Array.from({ length: number }, (_, index) => new NetworkError(`${index + 1}`));

    test(`gives up at once when wait ${number} could end too late, with the last error`, async () => {
      const { attempt, seen } = failing(errors);
      await assert.rejects(run(attempt, longestWaitMs), { message: `${number}` });
      assert.equal(seen.length, number);
      assert.equal(waits.length, number - 1);
    });

    test(`is made again when wait ${number} cannot end too late`, async () => {
      const { attempt, seen } = failing(errors);
      assert.equal(await run(attempt, longestWaitMs + 1), "done");
      assert.equal(seen.length, number + 1);
    });
  }

  test("gives up when its attempts themselves took all the time", async () => {
    let attempts = 0;
    const attempt = (): Promise<string> => {
      clock += 20_000;
      return Promise.reject(new RequestTimeoutError(`${++attempts}`));
    };
    await assert.rejects(run(attempt, 40_000), { message: "2" });
  });

  for (const [askedMs, msLeft] of [[60_000, 60_500], [60_000, 30_000], [Infinity, HOUR]] as const) {
    test(`gives up at once when asked to wait ${askedMs} ms of the ${msLeft} left`, async () => {
      const { attempt, seen } = failing([new BusyError("busy", 429, askedMs)]);
      await assert.rejects(run(attempt, msLeft), { code: "SERVICE_BUSY" });
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

  test("before it begins makes no request, and its reason is thrown", async () => {
    const { attempt, seen } = failing([]);
    stop.abort(reason);
    await assert.rejects(retry(attempt, http, Infinity, () => clock), reason);
    assert.equal(seen.length, 0);
  });

  for (const askedMs of [0, HOUR]) {
    test(`ends the wait at once when ${askedMs} ms were asked for, and its reason is thrown`, {
      timeout: 30_000,
    }, async () => {
      const { attempt, seen } = failing([new BusyError("busy", 503, askedMs)]);
      const ended = assert.rejects(retry(attempt, http, Infinity, () => clock), reason);
      await turns();
      assert.equal(seen.length, 1);
      stop.abort(reason);
      await ended;
      assert.equal(seen.length, 1);
      assert.equal(getEventListeners(stop.signal, "abort").length, 0);
    });
  }
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
  ): Promise<{ requests: number; result: unknown }> {
    const standIn = await started;
    const before = standIn.counts.state;
    const endTrouble = standIn.misbehave({ at: "state", how: { status, headers }, times: 1 });
    const result = await retry(
      (http) => readTenantState(contextIdentifier, standIn.loginUrl, http),
      http,
      clock + msLeft,
      () => clock,
    ).catch((error) => error);
    endTrouble();
    return { requests: standIn.counts.state - before, result };
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
        const { requests, result } = await readAfter(status, { "Retry-After": value }, 60_500);
        assert.equal(requests, 1);
        assert.ok(result instanceof BusyError);
        assert.equal(result.retryAfterMs, 60_000);
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
    await assert.rejects(
      retry(
        (http) => readTenantState(contextIdentifier, standIn.loginUrl, http),
        http,
        Infinity,
        () => clock,
      ),
      { code: "STOPPED" },
    );
    endTrouble();
    assert.equal(standIn.counts.state - before, 1);
  });
});
