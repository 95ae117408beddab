import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { UnexpectedStatusError } from "../../src/superoffice/errors.ts";
import { networkError, readJson, unexpectedStatus } from "../../src/superoffice/http.ts";

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

describe("networkError", () => {
  const explain = (message: string, code?: string) => {
    const reason = Object.assign(new Error(message), code === undefined ? {} : { code });
    return networkError(new TypeError("fetch failed", { cause: reason }), "host", "the test");
  };

  // As Node says it, and Deno's `fetch`, which gives no code.
  const faults: [fault: string, remedy: RegExp, message: string, code?: string][] = [
    ["untrusted", /\(CA\)/, "unable to get local issuer", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"],
    ["untrusted", /\(CA\)/, "self-signed certificate", "DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["untrusted", /\(CA\)/, "self-signed certificate in chain", "SELF_SIGNED_CERT_IN_CHAIN"],
    ["untrusted", /\(CA\)/, "client error (Connect): invalid peer certificate: UnknownIssuer"],
    ["outOfTime", /clock/, "certificate is not yet valid", "CERT_NOT_YET_VALID"],
    ["outOfTime", /clock/, "invalid peer certificate: certificate expired: verification time 1"],
    ["outOfTime", /clock/, "invalid peer certificate: certificate not valid yet: verification …"],
    ["misnamed", /name/, 'invalid peer certificate: certificate not valid for name "host"; …'],
  ];
  for (const [fault, remedy, message, code] of faults) {
    test(`calls a certificate ${fault} of which it is said: ${message}`, () => {
      const error = explain(message, code);
      assert.equal(error.message, `host could not be reached for the test: ${message}`);
      assert.equal(error.certificateFault, fault);
      assert.match(error.remedy, remedy);
    });
  }

  test("speaks of no certificate where the connection broke", () => {
    const { certificateFault, remedy } = explain("read ECONNRESET", "ECONNRESET");
    assert.equal(certificateFault, undefined);
    assert.match(remedy, /firewall/);
  });
});
