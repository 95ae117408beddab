import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { beforeEach, describe, test } from "node:test";
import { getLogger } from "@logtape/logtape";
import { createWork, type Work } from "../../src/console/work.ts";
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
beforeEach(() => giveUp = new AbortController());

const call = () => Promise.reject(new DeniedError("denied"));

function work(run: Work): Promise<string | undefined> {
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

  test("gets when it last began; where that is not kept, it gets null, and who asks is told once", async () => {
    const lines: JsonLine[] = [];
    const ownLog = await openJsonLog((line) => lines.push(line));
    const asks: Work = ({ lastSync }) => Promise.resolve({ summary: String(lastSync?.getTime()) });
    const run = async (script: Work, lastWorks: Customer["lastWork"][]) => {
      const runWork = createWork({ run: script, fileName: "sync.ts" }, call, giveUp.signal);
      return await Promise.all(
        lastWorks.map((lastWork) => runWork({ ...customer, lastWork }, loggedOn, ownLog)),
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
    await assert.rejects(work(async ({ fetch }) => void await fetch("v1/Contact")), {
      code: "ACCESS_DENIED",
    });
  });
});
