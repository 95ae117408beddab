import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { readApprovalSettings } from "../../src/program/approvalSettings.ts";
import { SettingsError } from "../../src/program/errors.ts";

const VARIABLES = {
  DATABASE_URL: "postgres://a:b@localhost/crm",
  SUPEROFFICE_CLIENT_SECRET: "secret",
  SUPEROFFICE_CLIENT_ID: "our-client",
  SUPEROFFICE_PRIVATE_KEY: await readFile(
    new URL("../../fixtures/keys/app-key.pkcs8.pem", import.meta.url),
    "utf8",
  ),
};

async function faultsOf(variables: Record<string, string>): Promise<string[]> {
  try {
    await readApprovalSettings({ ...VARIABLES, ...variables }, ["a warning"]);
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    return error.faults;
  }
  return [];
}

test("an approval's answer is waited for at SuperOffice's own sample address where nothing else is set", async () => {
  const { clientId, listening } = await readApprovalSettings(VARIABLES, []);
  assert.equal(clientId, "our-client");
  assert.deepEqual(listening, {
    redirectUrl: "http://127.0.0.1:3300/openid/callback",
    addresses: ["127.0.0.1"],
    port: 3300,
    hosts: ["127.0.0.1:3300"],
  });
});

test("every fault is in one message, with the console's own", async () => {
  const faults = await faultsOf({
    SUPEROFFICE_CLIENT_ID: "one two",
    SUPEROFFICE_REDIRECT_URL: "nowhere",
    LISTEN: "here",
    DATABASE_URL: "mysql://x",
    SUPEROFFICE_PRIVATE_KEY: "no key",
  });
  assert.deepEqual(
    faults.map((fault) => fault.split(/[: ]/)[0]).sort(),
    [
      "DATABASE_URL",
      "LISTEN",
      "SUPEROFFICE_CLIENT_ID",
      "SUPEROFFICE_PRIVATE_KEY",
      "SUPEROFFICE_REDIRECT_URL",
      "a",
    ],
  );
});

describe("a redirect URL is refused that", () => {
  for (
    const [what, url] of [
      ["is no address", "127.0.0.1:3300"],
      ["is another machine's, without https", "http://vendor.example/callback"],
      ["has a query", "https://vendor.example/callback?x=1"],
      ["has a fragment", "https://vendor.example/callback#"],
      ["has credentials", "https://me:word@vendor.example/callback"],
      ["names another host behind two slashes", "http://127.0.0.1:3300//openid/callback"],
      ["has no port", "http://127.0.0.1:0/callback"],
      ["is of another kind", "ftp://127.0.0.1/callback"],
    ] as const
  ) {
    test(what, async () => {
      const faults = await faultsOf({
        SUPEROFFICE_REDIRECT_URL: url,
        LISTEN: "127.0.0.1:3300",
      });
      assert.match(faults[0] ?? "", /^SUPEROFFICE_REDIRECT_URL: expected/);
    });
  }
});

test("a public redirect URL needs to know where to listen", async () => {
  const SUPEROFFICE_REDIRECT_URL = "https://vendor.example/callback";
  const [fault = ""] = await faultsOf({ SUPEROFFICE_REDIRECT_URL });
  assert.match(fault, /^LISTEN: missing; expected host:port/);
  assert.deepEqual(await faultsOf({ SUPEROFFICE_REDIRECT_URL, LISTEN: "127.0.0.1:8080" }), []);
});
