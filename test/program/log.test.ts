import assert from "node:assert/strict";
import { test } from "node:test";
import { createSecrets } from "../../src/program/knownSecrets.ts";
import { closeLog, openLog } from "../../src/program/log.ts";
import { createRedact } from "../../src/program/redact.ts";

test("on a terminal only time, mark and debug lines are coloured; the values stand there as they are", async () => {
  const lines: string[] = [];
  const log = await openLog(
    { level: "debug", format: "text", file: undefined, keepDays: 1 },
    createRedact(createSecrets()),
    (line) => lines.push(line),
    true,
  );
  const values = { text: "Cust1", number: 12.5, flag: true, nothing: null, list: ["a"] };
  log.info("{text} {number} {flag} {nothing} {list}", values);
  log.debug("{number} ms", values);
  await closeLog();
  const [info = "", debug = ""] = lines;
  assert.match(info, / Cust1 12\.5 true null \[ ?"?'?a"?'? ?\]\n$/);
  assert.ok(debug.endsWith(" \x1b[2m12.5 ms\x1b[0m\n"), JSON.stringify(debug));
});
