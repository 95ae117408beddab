import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { beforeEach, describe, test } from "node:test";
import { getLogger } from "@logtape/logtape";
import { createWork, type Work } from "../../src/console/work.ts";
import { DeniedError } from "../../src/superoffice/errors.ts";

const log = getLogger("test");
const customer = {
  id: "1",
  contextIdentifier: "Cust1",
  systemUserToken: "App-1",
  lastSync: null,
  hasError: false,
  databaseAheadMs: 0,
};
const loggedOn = {
  principal: { associate: "Anna", associateId: 7, fullName: null, userType: null },
  api: "https://online3.superoffice.com/Cust1/api",
  ticket: "7T:1",
};

let giveUp: AbortController;
beforeEach(() => giveUp = new AbortController());

function work(run: Work): Promise<string | undefined> {
  const call = () => Promise.reject(new DeniedError("denied"));
  return createWork({ run, fileName: "sync.ts" }, call, giveUp.signal)(customer, loggedOn, log);
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

  test("that throws is WORK_FAILED with what it threw; what its fetch threw stays as it is", async () => {
    await assert.rejects(work(() => Promise.reject("no budget")), {
      code: "WORK_FAILED",
      message: "The work script failed: no budget",
    });
    await assert.rejects(work(async ({ fetch }) => void await fetch("v1/Contact")), {
      code: "ACCESS_DENIED",
    });
  });
});
