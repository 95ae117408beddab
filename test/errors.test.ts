import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import * as errors from "../src/errors.ts";

/** An error of each kind that can be thrown. */
function everyError(): errors.ConsoleError[] {
  const kinds = Object.values(errors).filter((value) =>
    typeof value === "function" && value.prototype instanceof errors.ConsoleError
  ) as unknown as (new (message: unknown, more: unknown) => errors.ConsoleError)[];
  return kinds.map((Kind) =>
    new Kind(Kind === errors.SettingsError as unknown ? [] : "what", "how")
  );
}

test("every error has a code of its own and a remedy", () => {
  const codes = everyError().map(({ code }) => code);
  assert.ok(codes.length > 20);
  assert.equal(new Set(codes).size, codes.length);
  for (const { name, code, remedy } of everyError()) {
    assert.match(code, /^[A-Z_]+$/, name);
    assert.ok(remedy.length > 0, name);
  }
});

test("the README's table explains every code, and no other", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const table = readme.split("| when it says")[1]!.split("\n\n")[0]!;
  const explained = table.split("\n").flatMap((row) => {
    const [, firstCell = ""] = row.split("|");
    return firstCell.match(/(?<=`)[A-Z_]+(?=`)/g) ?? [];
  });
  assert.deepEqual(explained.sort(), everyError().map(({ code }) => code).sort());
});
