import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import process from "node:process";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createStopping, type Stopping } from "../../src/program/stopping.ts";

const log = getLogger("test");
/** Short, so that its timers do not keep the file waiting. */
const SHUTDOWN_MS = 20;
const signals = ["SIGINT", "SIGTERM"] as const;
const realNow = performance.now;
let clock: number;
let ends: number[];
let stopping: Stopping;

beforeEach(() => {
  clock = 1_000_000;
  performance.now = () => clock;
  const own: number[] = [];
  ends = own;
  stopping = createStopping((exitCode) => own.push(exitCode));
});
afterEach(() => {
  performance.now = realNow;
  stopping.workIsDone();
  for (const signal of signals) process.removeAllListeners(signal);
});

describe("a signal", () => {
  test("before there is work to finish ends the process", () => {
    process.emit("SIGINT", "SIGINT");
    assert.deepEqual(ends, [0]);
    // Nothing may begin while it ends.
    assert.equal(stopping.stop.aborted, true);
  });

  for (const signal of signals) {
    test(`${signal} lets work in hand be finished`, () => {
      stopping.begin(SHUTDOWN_MS, log);
      process.emit(signal, signal);
      assert.equal(stopping.stop.aborted, true);
      assert.equal(stopping.giveUp.aborted, false);
      assert.deepEqual(ends, []);
    });
  }

  test("that arrives twice within a moment is one keystroke", () => {
    stopping.begin(SHUTDOWN_MS, log);
    process.emit("SIGINT", "SIGINT");
    clock += 300;
    process.emit("SIGINT", "SIGINT");
    assert.deepEqual(ends, []);
  });

  for (const [signal, exitCode] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    test(`${signal} that comes again later ends the process at once with ${exitCode}`, () => {
      stopping.begin(SHUTDOWN_MS, log);
      process.emit(signal, signal);
      clock += 301;
      process.emit(signal, signal);
      assert.deepEqual(ends, [exitCode]);
    });
  }

  test("is left to the system until the event loop goes on, where nobody could hear it", async () => {
    stopping.begin(SHUTDOWN_MS, log);
    const listening = () => signals.map((signal) => process.listenerCount(signal));
    const before = listening();
    stopping.standAside();
    assert.deepEqual(listening(), before.map((count) => count - 1));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(listening(), before);
    process.emit("SIGINT", "SIGINT");
    assert.equal(stopping.stop.aborted, true);
  });

  test("of another kind is another will, however soon it comes", () => {
    stopping.begin(SHUTDOWN_MS, log);
    process.emit("SIGINT", "SIGINT");
    process.emit("SIGTERM", "SIGTERM");
    assert.deepEqual(ends, [143]);
  });

  test("gives work in hand up after its time, with a reason", async () => {
    stopping.begin(SHUTDOWN_MS, log);
    process.emit("SIGTERM", "SIGTERM");
    await new Promise((resolve) => stopping.giveUp.addEventListener("abort", resolve));
    assert.equal(stopping.giveUp.reason.code, "STOPPED");
  });
});
