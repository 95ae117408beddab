import assert from "node:assert/strict";
import { test } from "node:test";
import { readCommandLine } from "../../src/program/commandLine.ts";

for (
  const [args, fault] of [
    [["--bogus"], "There is no option --bogus"],
    [["--versoin"], "There is no option --versoin; is --version meant?"],
    [["--token=hunter2"], "There is no option --token"],
    [["-x"], "There is no option -x"],
    [["--once=yes"], "--once takes no value"],
    [["--work"], "--work needs a value behind it"],
    [["--work", "--once"], "--work needs a value behind it"],
    [["--work="], "--work needs a value behind it"],
    [["hunter2"], "The console takes options alone, as in --once"],
  ] as const
) {
  test(`${args.join(" ")} is refused in a sentence`, () => {
    assert.throws(() => readCommandLine([...args]), { code: "USAGE_WRONG", message: fault });
  });
}

test("what is known is read", () => {
  const { once, work, demo } = readCommandLine(["--once", "--work", "sync.ts"]);
  assert.deepEqual({ once, work, demo }, { once: true, work: "sync.ts", demo: false });
});
