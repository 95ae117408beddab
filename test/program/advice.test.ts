import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import * as approveErrors from "../../src/approve/errors.ts";
import * as consoleErrors from "../../src/console/errors.ts";
import { DatabaseError } from "../../src/database/connection.ts";
import { PgBossMissingError } from "../../src/database/pgBoss.ts";
import { ADVICE } from "../../src/program/advice.ts";
import * as programErrors from "../../src/program/errors.ts";
import { explain } from "../../src/program/explain.ts";
import * as wireErrors from "../../src/superoffice/errors.ts";

type ErrorClass = { code: string; remedy: string; name: string };

const KINDS = [
  ...Object.values(wireErrors),
  ...Object.values(consoleErrors),
  ...Object.values(programErrors),
  ...Object.values(approveErrors),
  DatabaseError,
  PgBossMissingError,
].filter((kind) => kind.name !== "ExplainedError") as ErrorClass[];

test("every error has a code of its own, a remedy, and a place in the table of advice", () => {
  assert.ok(KINDS.length > 20);
  assert.equal(new Set(KINDS.map(({ code }) => code)).size, KINDS.length);
  for (const { name, code, remedy } of KINDS) {
    assert.match(code, /^[A-Z_]+$/, name);
    assert.match(remedy, /\.$/, name);
  }
  assert.deepEqual(Object.keys(ADVICE).sort(), KINDS.map(({ code }) => code).sort());
});

test("the page of refusals says what the table of advice and the errors say", async () => {
  const page = await readFile(new URL("../../src/program/refusals.md", import.meta.url), "utf8");
  const cells = (row: string) => row.split("|").slice(1, -1).map((cell) => cell.trim());
  const rows = page.split("\n").filter((line) => line.startsWith("| `")).map(cells);
  const expected = Object.entries(ADVICE).map(([code, { means, here = "" }]) => {
    const { remedy } = KINDS.find((kind) => kind.code === code)!;
    const more = typeof here === "string" ? here : here();
    return [`\`${code}\``, means, `${remedy} ${more}`.trim()];
  });
  assert.deepEqual(rows, expected, "what the rows should be:\n" + asTable(expected));
});

function asTable(rows: string[][]): string {
  return rows.map((row) => `| ${row.join(" | ")} |\n`).join("");
}

test("a wire error's remedy speaks of SuperOffice, and of nothing that only this program has", () => {
  for (const { code, remedy } of Object.values(wireErrors) as unknown as ErrorClass[]) {
    assert.doesNotMatch(`${remedy}`, /[A-Z]+_[A-Z]+|[a-z]+_[a-z]+|npm|CONCURRENCY/, code);
  }
});

for (
  const [error, remedy] of [
    [new wireErrors.TicketRefusedError("no", 401), /SUPEROFFICE_CLIENT_SECRET/],
    [new wireErrors.LoginHostRefusedError("no", 401), /SUPEROFFICE_LOGIN_URL/],
    [new wireErrors.NotFoundError("no", 404), /context_identifier.* SUPEROFFICE_ENVIRONMENT/],
    [new wireErrors.UnexpectedStatusError("no", 418), /SUPEROFFICE_LOGIN_URL/],
    [
      new wireErrors.TenantNotRunningError("Deleted", "so"),
      /^It will not come back\. .*is_active to false/,
    ],
    [new wireErrors.TenantNotRunningError("Suspended", "so"), /looks again by itself/],
    [new wireErrors.RequestTimeoutError("no"), /REQUEST_TIMEOUT_SECONDS/],
    [new consoleErrors.TokenMissingError("no"), /customers (-- )?add/],
  ] as const
) {
  test(`what is done about ${error.code} (${error.message}) says where that is set`, () => {
    assert.match(explain(error).remedy, remedy);
  });
}

for (const thrown of [new TypeError("x is not a function"), "x is not a function"]) {
  test(`${typeof thrown === "string" ? "a text" : "any error"} that was thrown is explained as UNEXPECTED`, () => {
    const { problem, remedy, code } = explain(thrown);
    assert.equal(problem, "x is not a function");
    assert.match(remedy, /^This should not happen/);
    assert.equal(code, "UNEXPECTED");
  });
}
