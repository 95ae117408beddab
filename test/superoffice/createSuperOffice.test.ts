import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, describe, test } from "node:test";
import type { Place, Tenant } from "../../fixtures/standIn.ts";
import { createSuperOffice } from "../../src/superoffice/createSuperOffice.ts";
import type { Send } from "../../src/superoffice/http.ts";
import { sendByFetch } from "../../src/superoffice/sendByFetch.ts";
import { CLIENT_SECRET, makeTenants } from "../support/sampleTenants.ts";
import { sampleSigner } from "../support/testConsole.ts";
import { startTestStandIn } from "../support/testStandIn.ts";

const readKey = (name: string) =>
  readFile(new URL(`../../fixtures/keys/app-key.${name}`, import.meta.url), "utf8");

const tenants = makeTenants(3);
const [tenant, otherTenant, suspended] = tenants as [Tenant, Tenant, Tenant];
suspended.state = "Suspended";
const standIn = await startTestStandIn(tenants);
const application = { loginUrl: standIn.loginUrl, clientSecret: CLIENT_SECRET };
const superOffice = await createSuperOffice({ ...application, privateKey: await readKey("xml") });
let endTrouble = () => {};
afterEach(() => endTrouble());
after(() => standIn.close());

const keys = {
  "RSAKeyValue XML": await readKey("xml"),
  "PKCS#1 PEM": await readKey("pkcs1.pem"),
  "PKCS#8 PEM": await readKey("pkcs8.pem"),
  "a function that signs": sampleSigner,
};

describe("a log-on", () => {
  for (const [form, privateKey] of Object.entries(keys)) {
    test(`with the key as ${form} gives principal, address and ticket`, async () => {
      const { logOn } = await createSuperOffice({ ...application, privateKey });
      const { principal, api, ticket } = await logOn(tenant);
      assert.equal(principal.associate, "Associate 10001");
      assert.equal(api, `${standIn.hostUrls[0]}/Cust10001/api`);
      assert.match(ticket, /^7T:/);
    });
  }

  test("needs no more of the tenant than context identifier and system user token", async () => {
    const { contextIdentifier, systemUserToken } = otherTenant;
    const { principal } = await superOffice.logOn({ contextIdentifier, systemUserToken });
    assert.equal(principal.associate, "Associate 10002");
  });

  test("goes through the transport that it is given", async () => {
    const purposes: string[] = [];
    const send: Send = (request) => {
      purposes.push(request.purpose);
      return sendByFetch(request);
    };
    const { logOn } = await createSuperOffice({ ...application, privateKey: sampleSigner, send });
    await logOn(tenant);
    assert.deepEqual(purposes, [
      "reading the tenant's state",
      "reading the key set",
      "the exchange",
      "the call",
    ]);
  });

  for (const at of ["state", "exchange", "call"] as Place[]) {
    test(`tries nothing twice: trouble at the place «${at}» is its error`, async () => {
      endTrouble = standIn.misbehave({ at, how: { status: 503 } });
      const before = standIn.counts[at];
      await assert.rejects(superOffice.logOn(tenant), { code: "SERVICE_BUSY", status: 503 });
      assert.equal(standIn.counts[at], before + 1);
    });
  }

  test("to a tenant that takes no calls is an error that says so, and costs no exchange", async () => {
    const before = standIn.counts.exchange;
    await assert.rejects(superOffice.logOn(suspended), {
      code: "TENANT_NOT_RUNNING",
      state: "Suspended",
      remedy: /when it is back/,
    });
    assert.equal(standIn.counts.exchange, before);
  });

  test("that is refused is an error with code and remedy", async () => {
    const wrong = { ...tenant, systemUserToken: "Test App-wrong" };
    await assert.rejects(superOffice.logOn(wrong), {
      code: "ACCESS_DENIED",
      remedy: /environment and client secret belong together/,
    });
  });
});

test("a call gives the answer whatever its status, with the way on which it was got", async () => {
  const { api, ticket, answer } = await superOffice.call(tenant, { path: "v1/Nothing" });
  assert.equal(answer.status, 404);
  assert.equal(api, `${standIn.hostUrls[0]}/Cust10001/api`);
  assert.match(ticket, /^7T:/);
});

test("a key that cannot be used is told when it is given", async () => {
  await assert.rejects(createSuperOffice({ ...application, privateKey: "no key" }), {
    code: "PRIVATE_KEY_WRONG",
  });
});
