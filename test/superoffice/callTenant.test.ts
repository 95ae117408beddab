import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { type Misbehaviour, type Place, startStandIn } from "../../fixtures/standIn.ts";
import type { Send } from "../../src/superoffice/http.ts";
import {
  callTenant as callAny,
  type Principal,
  readPrincipal,
  WHO_AM_I,
} from "../../src/superoffice/callTenant.ts";
import { exchange } from "../../src/superoffice/exchange.ts";
import { createKeySet } from "../../src/superoffice/keySet.ts";
import { importPrivateKey } from "../../src/superoffice/privateKey.ts";
import { createSigner, signToken } from "../../src/superoffice/signToken.ts";
import { sendByFetch } from "../../src/superoffice/sendByFetch.ts";
import { type Application, assertSameTenant } from "../../src/superoffice/tenant.ts";
import { readTenantState } from "../../src/superoffice/tenantState.ts";

const read = (path: string) =>
  readFile(new URL(`../../fixtures/keys/${path}`, import.meta.url), "utf8");

const NOW = new Date("2026-01-02T03:04:05Z");
const standIn = await startStandIn({
  applicationPublicKey: await read("app-key.pub.pem"),
  clientSecret: "client-secret",
  tenants: [
    { contextIdentifier: "Cust10001", systemUserToken: "x-1", associate: "Bjørn" },
    { contextIdentifier: "Cust10002", systemUserToken: "x-2", associate: "Anna", host: 1 },
    {
      contextIdentifier: "Cust10003",
      systemUserToken: "x-3",
      associate: "Eva",
      state: "Suspended",
    },
    {
      contextIdentifier: "Cust10004",
      systemUserToken: "x-4",
      associate: "Dag",
      state: "OnlineMaintenance",
    },
  ],
  stateValidMs: 90_000,
  now: () => NOW.getTime(),
});
const application: Application = { loginUrl: standIn.loginUrl, clientSecret: "client-secret" };
const sign = createSigner(await importPrivateKey(await read("app-key.xml")));
const keySet = createKeySet(standIn.loginUrl, sendByFetch, () => 0);
const apiOf = (contextIdentifier: string, host = 0) =>
  `${standIn.hostUrls[host]}/${contextIdentifier}/api`;
const stateOf = (contextIdentifier: string) =>
  readTenantState(contextIdentifier, standIn.loginUrl, sendByFetch);

async function ticketOf(contextIdentifier: string, systemUserToken: string): Promise<string> {
  const signed = await signToken(systemUserToken, sign, NOW);
  return await exchange(contextIdentifier, signed, application, keySet, () => NOW, sendByFetch);
}

let endTrouble: () => void;
beforeEach(() => endTrouble = () => {});
afterEach(() => endTrouble());
after(() => standIn.close());

function misbehave(at: Place, how: Misbehaviour): void {
  endTrouble = standIn.misbehave({ at, how });
}
const answerWith = (at: Place, body: unknown) =>
  misbehave(at, { status: 200, body: JSON.stringify(body) });

describe("a tenant's state", () => {
  for (
    const [contextIdentifier, expected] of [
      ["Cust10001", { state: "Running", isRunning: true, api: apiOf("Cust10001") }],
      ["cust10001", { state: "Running", isRunning: true, api: apiOf("Cust10001") }],
      ["Cust10002", { state: "Running", isRunning: true, api: apiOf("Cust10002", 1) }],
      ["Cust10003", { state: "Suspended", isRunning: false, api: null }],
      ["Cust10004", { state: "OnlineMaintenance", isRunning: true, api: apiOf("Cust10004") }],
    ] as const
  ) {
    test(`of ${contextIdentifier} is ${expected.state}`, async () => {
      assert.deepEqual(await stateOf(contextIdentifier), { ...expected, validForMs: 90_000 });
    });
  }

  const names: Record<number, string> = {
    0: "Unknown",
    1: "Provisioning",
    2: "Running",
    3: "Deleted",
    4: "Suspended",
    5: "OnlineMaintenance",
    6: "OfflineMaintenance",
    8: "ProvisioningFailed",
    10: "Deleting",
    11: "DeleteFailed",
    12: "MigrationPending",
  };
  for (const [code, name] of Object.entries(names)) {
    test(`is ${name} when the number ${code} comes without IsRunning`, async () => {
      answerWith("state", { ContextIdentifier: "Cust10001", State: Number(code), Api: null });
      assert.deepEqual(await stateOf("Cust10001"), {
        state: name,
        isRunning: name === "Running" || name === "OnlineMaintenance",
        api: null,
        validForMs: 0,
      });
    });
  }

  test("keeps a number that is not known", async () => {
    answerWith("state", { State: 99 });
    assert.deepEqual(await stateOf("Cust10001"), {
      state: "99",
      isRunning: false,
      api: null,
      validForMs: 0,
    });
  });

  test("is not running when IsRunning says so, whatever the state's name", async () => {
    answerWith("state", { State: "Running", IsRunning: false });
    assert.equal((await stateOf("Cust10001")).isRunning, false);
  });

  test("is running when IsRunning says so of a state that is not known", async () => {
    answerWith("state", { State: "ReadOnly", IsRunning: true });
    assert.deepEqual(await stateOf("Cust10001"), {
      state: "ReadOnly",
      isRunning: true,
      api: null,
      validForMs: 0,
    });
  });

  test("is unreadable when the answer says nothing of it", async () => {
    answerWith("state", { ContextIdentifier: "Cust10001", Api: apiOf("Cust10001") });
    await assert.rejects(stateOf("Cust10001"), {
      code: "ANSWER_UNREADABLE",
      message: /neither State nor IsRunning/,
    });
  });

  test("is Unknown when the answer says only whether it is running", async () => {
    answerWith("state", { IsRunning: true, Api: apiOf("Cust10001") });
    assert.deepEqual(await stateOf("Cust10001"), {
      state: "Unknown",
      isRunning: true,
      api: apiOf("Cust10001"),
      validForMs: 0,
    });
  });

  // The stand-in's clock is far from this machine's.
  const validity: [string | null, number][] = [
    ["2026-01-02T03:04:06.9342965Z", 1934],
    ["2026-01-02T05:04:05+01:00", 3600_000],
    ["2026-01-02T03:04:05Z", 0],
    ["2026-01-02T03:04:04Z", 0],
    ["soon", 0],
    ["", 0],
    [null, 0],
  ];
  for (const [validUntil, validForMs] of validity) {
    test(`holds for ${validForMs} ms by the login host's clock until ${validUntil}`, async () => {
      answerWith("state", { State: "Running", ValidUntil: validUntil });
      assert.equal((await stateOf("Cust10001")).validForMs, validForMs);
    });
  }

  test("holds for no time when the answer does not tell the login host's time", async () => {
    const withoutDate: Send = async (request) => {
      const answer = await sendByFetch(request);
      return { ...answer, headers: { ...answer.headers, date: undefined } };
    };
    const state = await readTenantState("Cust10001", standIn.loginUrl, withoutDate);
    assert.equal(state.validForMs, 0);
  });

  test("has an address without slashes at its end", async () => {
    answerWith("state", { State: 2, Api: `${apiOf("Cust10001")}//` });
    assert.equal((await stateOf("Cust10001")).api, apiOf("Cust10001"));
  });

  test("is asked for at an address that a strange identifier cannot change", async () => {
    const urls: string[] = [];
    const noting: Send = ({ url }) => {
      urls.push(url);
      return Promise.reject(new Error("not sent"));
    };
    await assert.rejects(readTenantState("../Cust1?a#b", "https://sod.superoffice.com", noting));
    assert.deepEqual(urls, ["https://sod.superoffice.com/api/state/..%2FCust1%3Fa%23b"]);
  });

  test("of another tenant is refused", async () => {
    misbehave("state", "wrongTenant");
    await assert.rejects(stateOf("Cust10001"), {
      code: "WRONG_TENANT",
      message: "The answer to reading the tenant's state speaks of the tenant Cust99999",
    });
  });

  test("of a tenant that does not exist is a 404 with a remedy", async () => {
    await assert.rejects(stateOf("Cust404"), {
      code: "NOT_FOUND",
      message: /reading the tenant's state with status 404 \(«No such tenant»\)$/,
      remedy: /context identifier/,
    });
  });

  for (const how of ["notJson", "hugeBody"] as const) {
    test(`is unreadable when the answer is ${how}`, async () => {
      misbehave("state", how);
      await assert.rejects(stateOf("Cust10001"), { code: "ANSWER_UNREADABLE" });
    });
  }
});

/** Asks a tenant who the system user is. */
async function callTenant(
  contextIdentifier: string,
  api: string,
  ticket: string,
  application: Application,
  send: Send = sendByFetch,
): Promise<Principal> {
  const answer = await callAny({ api, ticket }, WHO_AM_I, application, send);
  return readPrincipal(contextIdentifier, answer);
}

describe("assertSameTenant", () => {
  for (const answered of ["Cust12345", "cust12345", "CUST12345", null, undefined]) {
    test(`takes ${answered} for Cust12345`, () => {
      assertSameTenant("Cust12345", answered, "the call");
    });
  }
  for (const answered of ["Cust1234", "Cust123456", ""]) {
    test(`does not take «${answered}» for Cust12345`, () => {
      assert.throws(() => assertSameTenant("Cust12345", answered, "the call"), {
        code: "WRONG_TENANT",
      });
    });
  }
});

describe("a call to a tenant", () => {
  let ticket: string;
  beforeEach(async () => ticket = await ticketOf("Cust10001", "x-1"));

  test("tells who the system user is there", async () => {
    assert.deepEqual(
      await callTenant("Cust10001", apiOf("Cust10001"), ticket, application),
      {
        associate: "Bjørn",
        associateId: 7,
        fullName: "Bjørn of Cust10001",
        userType: "SystemUser",
      },
    );
  });

  test("does without what the answer leaves out", async () => {
    answerWith("call", { Associate: "Bjørn", AssociateId: null });
    assert.deepEqual(
      await callTenant("Cust10001", apiOf("Cust10001"), ticket, application),
      { associate: "Bjørn", associateId: null, fullName: null, userType: null },
    );
  });

  test("takes an associate's number as text", async () => {
    answerWith("call", { Associate: "Bjørn", AssociateId: "7" });
    const principal = await callTenant(
      "Cust10001",
      apiOf("Cust10001"),
      ticket,
      application,
    );
    assert.equal(principal.associateId, 7);
  });

  test("works for a context identifier in another case", async () => {
    await callTenant("cust10001", apiOf("Cust10001"), ticket, application);
  });

  test("is refused with 401 when the tenant forgot the ticket", async () => {
    standIn.forgetTickets();
    const call = callTenant("Cust10001", apiOf("Cust10001"), ticket, application);
    await assert.rejects(call, {
      code: "TICKET_REFUSED",
      status: 401,
      message: `${
        new URL(standIn.hostUrls[0]!).host
      } answered the call with status 401 («The ticket is not valid»)`,
    });
  });

  test("is refused with 401 when the client secret is another one", async () => {
    const wrong = { ...application, clientSecret: "another" };
    await assert.rejects(callTenant("Cust10001", apiOf("Cust10001"), ticket, wrong), {
      code: "TICKET_REFUSED",
      remedy: /client secret is the application's current one/,
    });
  });

  test("is refused with 401 when the ticket is another tenant's", async () => {
    const call = callTenant("Cust10002", apiOf("Cust10002", 1), ticket, application);
    await assert.rejects(call, { code: "TICKET_REFUSED" });
  });

  for (const place of ["another tenant host", "the login host"]) {
    test(`is misdirected at ${place}`, async () => {
      const base = place === "the login host" ? standIn.loginUrl : standIn.hostUrls[1];
      const call = callTenant("Cust10001", `${base}/Cust10001/api`, ticket, application);
      await assert.rejects(call, {
        code: "TENANT_MOVED",
        status: 421,
        remedy: /being moved to another host/,
      });
    });
  }

  test("is refused when another tenant answers", async () => {
    misbehave("call", "wrongTenant");
    const call = callTenant("Cust10001", apiOf("Cust10001"), ticket, application);
    await assert.rejects(call, {
      code: "WRONG_TENANT",
      message: "The answer to the call speaks of the tenant Cust99999",
    });
  });

  const troubles: [Misbehaviour, string][] = [
    [{ status: 500 }, "SERVICE_BUSY"],
    [{ status: 503 }, "SERVICE_BUSY"],
    [{ status: 429 }, "SERVICE_BUSY"],
    [{ status: 302, headers: { "Location": "/" } }, "REDIRECT_REFUSED"],
    [{ status: 403 }, "FORBIDDEN"],
    [{ status: 404 }, "NOT_FOUND"],
    [{ status: 400 }, "UNEXPECTED_STATUS"],
    ["notJson", "ANSWER_UNREADABLE"],
    ["wrongShape", "ANSWER_UNREADABLE"],
    ["reset", "NETWORK_FAILED"],
    ["cutBody", "NETWORK_FAILED"],
  ];
  for (const [how, code] of troubles) {
    test(`fails with ${code} when the host answers ${JSON.stringify(how)}`, async () => {
      misbehave("call", how);
      const call = callTenant("Cust10001", apiOf("Cust10001"), ticket, application);
      await assert.rejects(call, { code, message: /the call/ });
    });
  }

  test("never reaches a host that the login host does not vouch for", async () => {
    let requests = 0;
    const stranger = createServer((_, response) => {
      requests++;
      response.end("{}");
    });
    stranger.listen(0, "127.0.0.1");
    await once(stranger, "listening");
    let sent = 0;
    const counting: Send = (request) => {
      sent++;
      return sendByFetch(request);
    };
    try {
      const api = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/Cust10001/api`;
      const real = { ...application, loginUrl: "https://sod.superoffice.com" };
      await assert.rejects(callTenant("Cust10001", api, ticket, real, counting), {
        code: "HOST_UNTRUSTED",
        message: /sod\.superoffice\.com vouches for/,
      });
      await assert.rejects(
        callTenant("Cust10001", "https://evil.invalid/api", ticket, application, counting),
        { code: "HOST_UNTRUSTED" },
      );
      assert.deepEqual({ requests, sent }, { requests: 0, sent: 0 });
    } finally {
      const closed = once(stranger, "close");
      stranger.close();
      await closed;
    }
  });
});
