import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestOf } from "../../src/program/nearest.ts";

async function* pagesOf(...pages: string[][]) {
  yield* await Promise.resolve(pages);
}

test("the nearest names come first, three at most, whatever their letters' case and their page", async () => {
  const pages = pagesOf(
    ["Cust99999", "cust12349", "Cust12345"],
    ["CUST1234", "Cust12354", "Cust12346"],
  );
  assert.deepEqual(await nearestOf("cust12345", pages), ["Cust12345", "cust12349", "CUST1234"]);
});

test("a slip of any kind is found: a letter too few, too many, another, or the beginning left out", async () => {
  for (const slip of ["Cust1235", "Cust123445", "Cust12745", "12345", "Cus12345", "Kust12345"]) {
    assert.deepEqual(await nearestOf(slip, pagesOf(["Demo", "Cust12345"])), ["Cust12345"], slip);
  }
});

test("a name that shares less than half is none, and one of any length takes no time", async () => {
  const names = ["Cust12345", "Cust6"];
  assert.deepEqual(await nearestOf("somebody", pagesOf(names)), []);
  assert.deepEqual(await nearestOf("", pagesOf(names)), []);
  assert.deepEqual(await nearestOf("x".repeat(1_000_000), pagesOf(names)), []);
});
