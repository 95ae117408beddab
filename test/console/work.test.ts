import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { beforeEach, describe, test } from "node:test";
import { getLogger } from "@logtape/logtape";
import { whoIsAtWork } from "../../src/console/atWork.ts";
import { createWork, type Work } from "../../src/console/work.ts";
import type { HttpAnswer } from "../../src/superoffice/http.ts";
import type { Call } from "../../src/superoffice/logOn.ts";
import { DatabaseError } from "../../src/database/connection.ts";
import type { Customer } from "../../src/database/loadCustomers.ts";
import { closeLog } from "../../src/program/log.ts";
import { DeniedError } from "../../src/superoffice/errors.ts";
import { type JsonLine, openJsonLog } from "../support/jsonLog.ts";

const log = getLogger("test");
const customer = {
  id: "1",
  contextIdentifier: "Cust1",
  systemUserToken: "App-1",
  lastSync: null,
  lastWork: null,
  hasError: false,
  databaseAheadMs: 0,
};
const loggedOn = {
  principal: { associate: "Anna", associateId: 7, fullName: null, userType: null },
  api: "https://online3.superoffice.com/Cust1/api",
  ticket: "7T:1",
};

let giveUp: AbortController;
/** What failed after the work had ended. */
let late: Error[];
beforeEach(() => {
  giveUp = new AbortController();
  late = [];
});

const denied: Call = () => Promise.reject(new DeniedError("denied"));

function work(run: Work, { timeoutMs = 60_000, call = denied } = {}): Promise<string | undefined> {
  const runWork = createWork({ run, fileName: "sync.ts" }, call, timeoutMs, giveUp.signal);
  return runWork(customer, loggedOn, log, (error) => late.push(error as Error));
}

describe("a work script", () => {
  test("gives its summary, or none", async () => {
    assert.equal(await work(() => Promise.resolve({ summary: "done" })), "done");
    assert.equal(await work(() => Promise.resolve()), undefined);
  });

  test("leaves nothing behind on the stop's signal, however it ends", async () => {
    await work(() => Promise.resolve());
    await assert.rejects(work(() => Promise.reject(new Error("no budget"))));
    assert.equal(getEventListeners(giveUp.signal, "abort").length, 0);
  });

  test("is told of a stop by its signal, with the stop's reason", async () => {
    const reason = new Error("Stopped before it was done");
    const working = work(({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
    );
    giveUp.abort(reason);
    await assert.rejects(working, { code: "WORK_FAILED", cause: reason });
  });

  test("gets when it last began; where that is not kept, it gets null, and who asks is told once", async () => {
    const lines: JsonLine[] = [];
    const ownLog = await openJsonLog((line) => lines.push(line));
    const asks: Work = ({ lastSync }) => Promise.resolve({ summary: String(lastSync?.getTime()) });
    const run = async (script: Work, lastWorks: Customer["lastWork"][]) => {
      const file = { run: script, fileName: "sync.ts" };
      const runWork = createWork(file, denied, 60_000, giveUp.signal);
      return await Promise.all(
        lastWorks.map((lastWork, index) =>
          runWork({ ...customer, id: `${index}`, lastWork }, loggedOn, ownLog, () => {})
        ),
      );
    };
    assert.deepEqual(await run(asks, [new Date(7), null]), ["7", "undefined"]);
    const fault = new DatabaseError("There is no column last_work", "Add it.");
    await run(() => Promise.resolve(), [fault]);
    assert.deepEqual(lines, []);
    assert.deepEqual(await run(asks, [fault, fault]), ["undefined", "undefined"]);
    await closeLog();
    assert.deepEqual(lines.map(({ level, message }) => [level, message]), [[
      "warning",
      "The work script asks for lastSync, and gets null each time, so that it begins afresh each time: " +
      "There is no column last_work. Add it.",
    ]]);
  });

  test("that throws is WORK_FAILED with what it threw; what its fetch threw stays as it is", async () => {
    await assert.rejects(work(() => Promise.reject("no budget")), {
      code: "WORK_FAILED",
      message: "The work script failed: no budget",
    });
    const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    await assert.rejects(work(() => Promise.reject(new TypeError("fetch failed", { cause }))), {
      message: "The work script failed: fetch failed: connect ECONNREFUSED",
    });
    await assert.rejects(work(async ({ fetch }) => void await fetch("v1/Contact")), {
      code: "ACCESS_DENIED",
    });
  });

  const returned: [unknown, RegExp][] = [
    ["3 contacts", /sync\.ts returned the text "3 contacts"; expected is nothing, or \{ summary: /],
    [5, /returned the number 5; expected/],
    [[1, 2], /returned an array of 2; expected/],
    [{ summary: 5 }, /returned the number 5 as its summary; expected/],
    [{ summary: {} }, /returned an object as its summary; expected/],
  ];
  for (const [value, message] of returned) {
    test(`that returns ${JSON.stringify(value)} is told what is expected`, async () => {
      const run = (() => Promise.resolve(value)) as Work;
      await assert.rejects(work(run), { code: "WORK_FAILED", message });
    });
  }

  test("that does not end in its time fails, and its fetch sends nothing any more", async () => {
    let fetchLate = () => Promise.resolve();
    const working = work(({ fetch }) => {
      fetchLate = async () => void await fetch("v1/Contact");
      return new Promise(() => {});
    }, { timeoutMs: 20 });
    const error = { code: "WORK_FAILED", message: "The work script did not end within 0.02 s" };
    await assert.rejects(working, error);
    await assert.rejects(fetchLate(), error);
  });

  test("that was given up and goes on is not started a second time until it has ended", async () => {
    let end = (): void => {};
    let runs = 0;
    const run = () => {
      runs++;
      return new Promise<void>((resolve) => end = resolve);
    };
    const runWork = createWork({ run, fileName: "sync.ts" }, denied, 20, giveUp.signal);
    const once = (id: string) => runWork({ ...customer, id }, loggedOn, log, () => {});
    await assert.rejects(once("1"), /did not end within 0.02 s/);
    await assert.rejects(once("1"), /last run here was given up and has not ended yet/);
    assert.equal(runs, 1);
    end();
    await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(once("1"), /did not end within/);
    await assert.rejects(once("2"), /did not end within/);
    assert.equal(runs, 3);
  });

  test("that throws an error with a list of its own is quoted as it says it", async () => {
    const run = () =>
      Promise.reject(Object.assign(new Error("contact 17: no name"), { errors: ["no name"] }));
    await assert.rejects(work(run), /failed: contact 17: no name$/);
    const unreached = () => Promise.reject(new AggregateError([new Error("refused")]));
    await assert.rejects(work(unreached), /failed.*: refused$/);
  });

  test("that ended in its time is not told later that it did not", async () => {
    let signal: AbortSignal | undefined;
    await work(({ signal: own }) => Promise.resolve(void (signal = own)), { timeoutMs: 20 });
    // A timer that was set later, for a longer time.
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(signal?.aborted, false);
  });

  test("that does not heed a stop is left alone", async () => {
    const working = work(() => new Promise(() => {}));
    const reason = new DeniedError("enough");
    giveUp.abort(reason);
    await assert.rejects(working, reason);
  });

  test("fails with what it did not wait for, while it still goes on", async () => {
    const working = work(() =>
      new Promise(() => setImmediate(() => whoIsAtWork()?.fail(new Error("left behind"))))
    );
    await assert.rejects(working, {
      code: "WORK_FAILED",
      message: /did not wait for.*left behind/,
    });
    assert.deepEqual(late, []);
  });

  test("has not ended before its requests have, those aside that others share", async () => {
    let answer = () => {};
    const asked: unknown[] = [];
    const answered = new Promise<void>((resolve) => answer = resolve);
    const call: Call = async (_tenant, { path }) => {
      asked.push(path, whoIsAtWork());
      await answered;
      return {
        answer: { status: 200, headers: {}, bytes: new Uint8Array() } as HttpAnswer,
      } as never;
    };
    const working = work(({ fetch }) => {
      void fetch("v1/Contact").then(() => whoIsAtWork()?.fail(new Error("not awaited")));
      return Promise.resolve({ summary: "done" });
    }, { call });
    await new Promise((resolve) => setImmediate(resolve));
    answer();
    await assert.rejects(working, { message: /did not wait for.*not awaited/ });
    assert.deepEqual(asked, ["v1/Contact", undefined]);
  });

  test("that left something behind is told of it once, when that fails after its end", async () => {
    let leftBehind: (error: unknown) => void = () => {};
    await work(() => Promise.resolve(void (leftBehind = whoIsAtWork()!.fail)));
    leftBehind(new Error("first"));
    leftBehind(new Error("second"));
    assert.deepEqual(late.map(({ message }) => message.split(": ").at(-1)), ["first"]);
  });

  test("is known in all that it started, and not beside it", async () => {
    const names: unknown[] = [];
    await work(async () => {
      await new Promise((resolve) => setTimeout(resolve));
      names.push(whoIsAtWork()?.contextIdentifier);
    });
    assert.deepEqual([...names, whoIsAtWork()], ["Cust1", undefined]);
  });
});
