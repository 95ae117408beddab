import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { UntrustedHostError } from "../../src/superoffice/errors.ts";
import { isLoopback, trustedUrl } from "../../src/superoffice/trustedHost.ts";

const PRODUCTION = "https://online.superoffice.com";
const OWN_PROXY = "https://superoffice.example.com:8443";
const LOOPBACK = "http://127.0.0.1:5000";

describe("trustedUrl lets credentials go to", () => {
  for (
    const [loginUrl, url] of [
      [PRODUCTION, "https://online.superoffice.com/Cust12345/api"],
      [PRODUCTION, "https://online3.superoffice.com/Cust12345/api"],
      [PRODUCTION, "https://a.b.superoffice.com/Cust12345/api"],
      [PRODUCTION, "https://ONLINE3.SuperOffice.COM/Cust12345/api"],
      [PRODUCTION, "https://superoffice.com/"],
      [PRODUCTION, "https://online3.superoffice.com:443/Cust12345/api"],
      ["https://sod.superoffice.com:8443", "https://sod2.superoffice.com:8443/Cust12345/api"],
      ["https://sod.superoffice.com:8443", "https://sod2.superoffice.com/Cust12345/api"],
      [OWN_PROXY, "https://superoffice.example.com:8443/Cust12345/api"],
      [LOOPBACK, "http://127.0.0.1:5001/Cust12345/api"],
      [LOOPBACK, "http://localhost:5001/Cust12345/api"],
      [LOOPBACK, "http://[::1]:5001/Cust12345/api"],
      [LOOPBACK, "https://127.8.9.10/Cust12345/api"],
      ["http://localhost:5000", "http://127.0.0.1:5001/"],
    ] as const
  ) {
    test(`${url} from the login host ${loginUrl}`, () => {
      assert.equal(trustedUrl(url, loginUrl).href, new URL(url).href);
    });
  }
});

describe("trustedUrl keeps credentials from", () => {
  for (
    const [loginUrl, url] of [
      [PRODUCTION, "http://online3.superoffice.com/Cust12345/api"],
      [PRODUCTION, "https://online3.superoffice.com:8443/Cust12345/api"],
      [PRODUCTION, "https://online.superoffice.com:22/Cust12345/api"],
      ["https://sod.superoffice.com:8443", "https://sod2.superoffice.com:8444/Cust12345/api"],
      [PRODUCTION, "https://evil.example/Cust12345/api"],
      [PRODUCTION, "https://evilsuperoffice.com/"],
      [PRODUCTION, "https://superoffice.com.evil.example/"],
      [PRODUCTION, "https://evil.example/.superoffice.com"],
      [PRODUCTION, "https://evil.example\\.superoffice.com"],
      [PRODUCTION, "https://evil.example#.superoffice.com"],
      [PRODUCTION, "https://online.superoffice.com@evil.example/"],
      [PRODUCTION, "https://user@online3.superoffice.com/"],
      [PRODUCTION, "https://:word@online3.superoffice.com/"],
      [PRODUCTION, "https://127.0.0.1/"],
      [PRODUCTION, "http://127.0.0.1:5001/"],
      [PRODUCTION, "ftp://online3.superoffice.com/"],
      [PRODUCTION, "not an address"],
      [PRODUCTION, ""],
      [PRODUCTION, "/Cust12345/api"],
      [OWN_PROXY, "https://superoffice.example.com/Cust12345/api"],
      [OWN_PROXY, "https://online3.superoffice.com/Cust12345/api"],
      [OWN_PROXY, "https://other.example.com:8443/"],
      [LOOPBACK, "https://online3.superoffice.com/Cust12345/api"],
      [LOOPBACK, "http://192.168.1.1/"],
      [LOOPBACK, "http://localhost.evil.example/"],
      [LOOPBACK, "http://127.0.0.1.evil.example/"],
      [LOOPBACK, "ftp://127.0.0.1/"],
      ["https://evilsuperoffice.com", "https://online3.superoffice.com/"],
    ] as const
  ) {
    test(`«${url}» from the login host ${loginUrl}`, () => {
      assert.throws(() => trustedUrl(url, loginUrl), UntrustedHostError);
    });
  }

  test("an untrusted host, naming both hosts and no password", () => {
    assert.throws(() => trustedUrl("https://me:word-1234@evil.example/x", PRODUCTION), {
      code: "HOST_UNTRUSTED",
      message: /https:\/\/evil\.example .*online\.superoffice\.com(?!.*word-1234)/,
    });
  });
});

describe("isLoopback", () => {
  for (
    const [url, expected] of [
      ["http://localhost", true],
      ["http://LOCALHOST:80", true],
      ["http://127.0.0.1", true],
      ["http://127.255.0.3", true],
      ["http://[::1]", true],
      ["http://[::2]", false],
      ["http://0.0.0.0", false],
      ["http://128.0.0.1", false],
      ["http://127.0.0.1.example", false],
      ["http://localhost.example", false],
    ] as const
  ) {
    test(`${url} ${expected ? "is" : "is not"} this machine`, () => {
      assert.equal(isLoopback(new URL(url)), expected);
    });
  }
});
