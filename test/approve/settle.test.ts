import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { ID_TOKEN_FORGERIES, type IdTokenForgery } from "../../fixtures/idToken.ts";
import { SAMPLE_REGISTRATION } from "../../fixtures/registration.ts";
import type { Misbehaviour, StandIn } from "../../fixtures/standIn.ts";
import {
  type Asked,
  askForApproval,
  type Client,
  type LoginHost,
  readLoginHost,
} from "../../src/approve/flow.ts";
import { createSettle, type Outcome } from "../../src/approve/settle.ts";
import { createHttpClient } from "../../src/console/requests/httpClient.ts";
import { type Database, openDatabase } from "../../src/database/connection.ts";
import { explain } from "../../src/program/explain.ts";
import { createSecrets, type KnownSecrets } from "../../src/program/knownSecrets.ts";
import { createRedact } from "../../src/program/redact.ts";
import { createSuperOffice } from "../../src/superoffice/createSuperOffice.ts";
import { createKeySet } from "../../src/superoffice/keySet.ts";
import { CLIENT_SECRET, makeTenants } from "../support/sampleTenants.ts";
import { type TestDatabase, testDatabases } from "../support/testDatabase.ts";
import { startTestStandIn } from "../support/testStandIn.ts";

const REDIRECT_URL = "http://127.0.0.1:3300/openid/callback";
const send = createHttpClient(new AbortController().signal, 6000);

let standIn: StandIn;
let database: TestDatabase;
let client: Database;
let application: Client;
let loginHost: LoginHost;
let secrets: KnownSecrets;
let ends: (() => void)[] = [];

before(async () => {
  standIn = await startTestStandIn(makeTenants(2));
  database = await testDatabases[0]!.start();
  client = openDatabase(database.databaseUrl);
  application = {
    loginUrl: standIn.loginUrl,
    clientSecret: CLIENT_SECRET,
    clientId: SAMPLE_REGISTRATION.clientId,
    redirectUrl: REDIRECT_URL,
  };
  loginHost = await readLoginHost(standIn.loginUrl, send);
});

after(async () => {
  await client.end();
  await database.close();
  await standIn.close();
});

beforeEach(async () => {
  secrets = createSecrets([CLIENT_SECRET]);
  await database.sql`delete from customers`;
});

afterEach(() => {
  for (const end of ends) end();
  ends = [];
});

function misbehave(at: "approval" | "tokens", how: Misbehaviour): void {
  ends.push(standIn.misbehave({ at, how }));
}

/** What the browser brings back. */
async function answerTo({ address }: Asked, decision = "approve"): Promise<URLSearchParams> {
  const body = new URLSearchParams({ tenant: "Cust10001", decision });
  const answer = await fetch(address, { method: "POST", body, redirect: "manual" });
  return new URL(answer.headers.get("location")!).searchParams;
}

async function settle(
  answer: URLSearchParams,
  asked: Asked,
  own = application,
  replaces = false,
): Promise<Outcome> {
  const { logOn } = await createSuperOffice({
    ...own,
    privateKey: await readFile(
      new URL("../../fixtures/keys/app-key.pkcs8.pem", import.meta.url),
      "utf8",
    ),
    send,
  });
  const keySet = createKeySet(own.loginUrl, send);
  const means = { send, keySet, logOn, database: client };
  const settle = createSettle(own, loginHost, { customer: undefined, replaces }, means);
  const outcome = await settle.store(answer, asked, secrets);
  return outcome.stored === undefined ? outcome : await settle.logOn(outcome);
}

/** Says that it was refused with this code and these words, shows no secret, and left the table alone. */
async function assertRefused(outcome: Outcome, code: string, said: RegExp, ...hidden: string[]) {
  const explained = explain(outcome.failure);
  const text = createRedact(secrets)(`${explained.problem} ${explained.remedy}`);
  assert.equal(explained.code, code, text);
  assert.match(text, said);
  for (const secret of [CLIENT_SECRET, ...hidden]) assert.ok(!text.includes(secret), text);
  assert.equal(outcome.stored, undefined);
  assert.deepEqual([...await database.sql`select from customers`], []);
}

test("an answer comes to a customer that is logged on to", async () => {
  const asked = await askForApproval(loginHost, application);
  const outcome = await settle(await answerTo(asked), asked);
  assert.equal(outcome.failure, undefined);
  assert.equal(outcome.stored, "added");
  assert.equal(outcome.associate, "Associate 10001");
});

test("of two approvals of a new customer at once one adds it, and the other is stored too where that replaces", async () => {
  for (const replaces of [false, true]) {
    await database.sql`delete from customers`;
    const asked = [1, 2, 3, 4].map(() => askForApproval(loginHost, application));
    const outcomes = await Promise.all(
      asked.map(async (one) => settle(await answerTo(await one), await one, application, replaces)),
    );
    const became = outcomes.map(({ stored, failure }) =>
      stored ?? (failure as { code?: string }).code
    );
    const other = replaces ? "replaced" : "CUSTOMER_EXISTS";
    assert.deepEqual(became.sort(), ["added", other, other, other].sort());
    assert.equal((await database.sql`select from customers`).length, 1);
  }
});

test("all that is secret in it is known as such before anything is done with it", async () => {
  const asked = await askForApproval(loginHost, application);
  const answer = await answerTo(asked);
  const learned: string[] = [];
  const known = secrets;
  const note = { ...known, add: (secret: string) => void learned.push(secret) };
  secrets = note;
  const outcome = await settle(answer, asked);
  secrets = known;
  const { systemUserToken } = outcome.approved!;
  const [verifier, code, idToken, ...others] = learned;
  assert.deepEqual([verifier, code], [asked.verifier, answer.get("code")]);
  assert.match(idToken!, /^eyJ/);
  assert.deepEqual(others, [systemUserToken]);
});

describe("nothing is stored for an id_token that is forged:", () => {
  const honest: IdTokenForgery[] = ["notAdministrator", "otherTenant"];
  for (const forge of ID_TOKEN_FORGERIES.filter((forgery) => !honest.includes(forgery))) {
    test(forge, async () => {
      misbehave("tokens", { forge });
      const asked = await askForApproval(loginHost, application);
      const hasNoToken = forge === "noSystemToken" || forge === "emptySystemToken";
      await assertRefused(
        await settle(await answerTo(asked), asked),
        hasNoToken ? "SYSTEM_TOKEN_MISSING" : "JWT_INVALID",
        hasNoToken ? /server to server/ : /The id_token was refused/,
      );
    });
  }
});

describe("nothing is stored where the answer", () => {
  test("is an error of the administrator's or of SuperOffice's", async () => {
    for (
      const [error, said] of [
        ["access_denied", /«access_denied».*general or user administrator/],
        ["server_error", /«server_error»: it rains .*a little later/],
        ["invalid_scope", /«invalid_scope».*SUPEROFFICE_CLIENT_ID/],
      ] as const
    ) {
      misbehave("approval", { refuse: `${error}: it rains` });
      const asked = await askForApproval(loginHost, application);
      await assertRefused(
        await settle(await answerTo(asked), asked),
        "APPROVAL_REFUSED",
        said,
      );
      ends.pop()?.();
    }
  });

  test("bears another state, none, or one twice", async () => {
    const asked = await askForApproval(loginHost, application);
    for (const states of [["another"], [], [asked.state, asked.state]]) {
      const answer = await answerTo(asked);
      answer.delete("state");
      for (const state of states) answer.append("state", state);
      await assertRefused(await settle(answer, asked), "APPROVAL_REFUSED", /cannot be used/);
    }
  });

  test("names another issuer, or brings no code", async () => {
    const asked = await askForApproval(loginHost, application);
    const foreign = await answerTo(asked);
    foreign.set("iss", "https://evil.example");
    await assertRefused(await settle(foreign, asked), "APPROVAL_REFUSED", /cannot be used/);
    const empty = new URLSearchParams({ state: asked.state });
    await assertRefused(await settle(empty, asked), "APPROVAL_REFUSED", /holds no code/);
  });

  test("brings a code that was used before", async () => {
    const asked = await askForApproval(loginHost, application);
    const answer = await answerTo(asked);
    await settle(answer, asked);
    await database.sql`delete from customers`;
    const code = answer.get("code")!;
    await assertRefused(await settle(answer, asked), "CODE_REFUSED", /«invalid_grant».*once/, code);
  });

  test("brings a code that was asked for by somebody else", async () => {
    const [asked, other] = await Promise.all([
      askForApproval(loginHost, application),
      askForApproval(loginHost, application),
    ]);
    const answer = await answerTo(other);
    answer.set("state", asked.state);
    await assertRefused(await settle(answer, asked), "CODE_REFUSED", /code_verifier/);
  });
});

describe("nothing is stored where the login host", () => {
  const cases: [string, Misbehaviour, string, RegExp][] = [
    ["does not know the client", { refuse: "invalid_client: who?" }, "CLIENT_REFUSED", /who\?/],
    [
      "answers 401",
      { status: 401, headers: { "www-authenticate": "Basic" } },
      "CLIENT_REFUSED",
      /401/,
    ],
    [
      "sends elsewhere",
      { status: 302, headers: { location: "http://127.0.0.1:9" } },
      "REDIRECT_REFUSED",
      /302/,
    ],
    ["is in trouble", { status: 503 }, "SERVICE_BUSY", /503/],
    ["answers with a page", "notJson", "ANSWER_UNREADABLE", /no JSON/],
    ["answers with something else", "wrongShape", "ANSWER_UNREADABLE", /id_token/],
    ["answers without end", "hugeBody", "ANSWER_UNREADABLE", /more than/],
    ["hangs up", "reset", "NETWORK_FAILED", /could not be reached/],
    ["never answers", "hang", "REQUEST_TIMEOUT", /did not answer redeeming the code/],
    ["repeats what it was asked", "echo", "UNEXPECTED_STATUS", /status 400/],
  ];
  for (const [what, how, code, said] of cases) {
    test(what, async () => {
      misbehave("tokens", how);
      const asked = await askForApproval(loginHost, application);
      const answer = await answerTo(asked);
      const outcome = await settle(answer, asked);
      await assertRefused(outcome, code, said, answer.get("code")!, asked.verifier);
    });
  }
});
