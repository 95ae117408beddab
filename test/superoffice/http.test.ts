import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { UnexpectedStatusError } from "../../src/superoffice/errors.ts";
import { readJson, unexpectedStatus } from "../../src/superoffice/http.ts";

const MIB = 1024 * 1024;

describe("readJson", () => {
  const schema = z.object({ State: z.string(), Deep: z.object({ Count: z.number() }) });
  const read = (text: string) =>
    readJson(
      {
        purpose: "the test",
        host: "host",
        status: 200,
        bytes: new TextEncoder().encode(text),
      },
      schema,
    );

  test("gives what the schema describes", () => {
    const value = { State: "Running", Deep: { Count: 1 } };
    assert.deepEqual(read(JSON.stringify({ ...value, more: true })), value);
  });

  test("shows how a page that is not JSON begins, without its markup", () => {
    assert.throws(() => read("<html>\n<h1>Scheduled  <b>maintenance</b></h1>\n</html>"), {
      code: "ANSWER_UNREADABLE",
      message: "host answered the test with status 200 and no JSON («Scheduled maintenance»)",
    });
  });

  test("shows the first words of such a page, and no part of a longer word", () => {
    const page = `two words ${"x".repeat(500)}`;
    assert.throws(() => read(page), { message: /and no JSON \(«two words …»\)$/ });
  });

  test("is not held up by a page that is full of markup", () => {
    assert.throws(() => read("<".repeat(MIB)), { message: /and no JSON/ });
  });

  test("says so when there is nothing at all", () => {
    assert.throws(() => read(""), {
      message: "host answered the test with status 200 and no JSON",
    });
  });

  test("names every field that is not as expected, and shows no values", () => {
    assert.throws(() => read('{"State":7,"Deep":{"Count":"a secret"}}'), {
      code: "ANSWER_UNREADABLE",
      message: /^host answered the test .*State: (?!.*a secret).*Deep\.Count: (?!.*a secret)/,
    });
  });
});

describe("unexpectedStatus", () => {
  for (
    const [status, code, remedy] of [
      [301, "REDIRECT_REFUSED", /Redirects are not followed/],
      [399, "REDIRECT_REFUSED", /Redirects are not followed/],
      [401, "LOGIN_HOST_REFUSED", /login host's address/],
      [403, "FORBIDDEN", /rights.* in this customer's SuperOffice/],
      [404, "NOT_FOUND", /context identifier.* environment/],
      [408, "UNEXPECTED_STATUS", /Look the status up/],
      [418, "UNEXPECTED_STATUS", /Look the status up.*login host/],
      [421, "UNEXPECTED_STATUS", /login host/],
      [429, "SERVICE_BUSY", /Often passing/],
      [500, "SERVICE_BUSY", /Often passing/],
      [503, "SERVICE_BUSY", /status\.superoffice\.com/],
    ] as const
  ) {
    test(`is ${code} with a remedy for ${status}`, () => {
      const error = unexpectedStatus({
        purpose: "the test",
        host: "host",
        status,
        headers: {},
        bytes: new TextEncoder().encode("<p>Out of order</p>"),
      });
      assert.ok(error instanceof UnexpectedStatusError);
      assert.equal(error.code, code);
      assert.equal(error.status, status);
      assert.equal(error.message, `host answered the test with status ${status} («Out of order»)`);
      assert.match(error.remedy, remedy);
    });
  }
});
