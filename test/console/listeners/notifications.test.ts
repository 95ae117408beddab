import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createLocalJWKSet, SignJWT } from "jose";
import { createSigningKey } from "../../../fixtures/jwts.ts";
import { createNotifications } from "../../../src/console/listeners/notifications.ts";
import type { OpenServer } from "../../../src/console/listeners/guardedServer.ts";
import { openServer } from "../../../src/console/listeners/server.ts";
import type { Counter } from "../../../src/console/wanted.ts";
import { explain } from "../../../src/program/explain.ts";
import { NetworkError } from "../../../src/superoffice/errors.ts";
import type { KeySet } from "../../../src/superoffice/keySet.ts";
import { type JsonLine, openJsonLog } from "../../support/jsonLog.ts";
import { freePort } from "../../support/freePort.ts";

const ISSUER = "https://sod.superoffice.com";
const MINUTE = 60_000;
const [key, otherKey] = [await createSigningKey(), await createSigningKey()];
const keys = createLocalJWKSet({ keys: [key.publicJwk] });
const jwtBy = (by = key, claims = {}) =>
  new SignJWT({ iss: ISSUER, ...claims }).setProtectedHeader({ alg: "RS256", kid: by.kid })
    .sign(by.privateKey);
const jwt = await jwtBy();
const forged = await jwtBy(otherKey);

let keySet: KeySet;
let keysAsked: number;
let now: number;
let heeded: string[];
let counted: Counter[];
let lines: JsonLine[];
let server: OpenServer;
let url: string;

async function open(clientId?: string): Promise<void> {
  const log = await openJsonLog((line) => lines.push(line));
  const route = createNotifications((customer, change) => heeded.push(`${customer} ${change}`), {
    audience: { loginUrl: ISSUER, clientId },
    keySet: {
      get: () => {
        keysAsked++;
        return keySet.get();
      },
      renew: (stale) => keySet.renew(stale),
    },
    now: () => new Date(),
    monotonicMs: () => now,
    telemetry: {
      span: (_name, _attributes, work) => work(),
      count: (name) => void counted.push(name),
    },
    explain,
    log,
  });
  const port = await freePort();
  server = await openServer({ host: "127.0.0.1", port }, [route]);
  url = `http://127.0.0.1:${port}/NotifyCustomerStateChange`;
}

beforeEach(async () => {
  keySet = { get: () => Promise.resolve(keys), renew: () => Promise.resolve(keys) };
  [keysAsked, now, heeded, counted, lines] = [0, 1_000_000, [], [], []];
  await open();
});
afterEach(() => server.close());

async function post(body: string | Record<string, unknown>, init: RequestInit = {}) {
  const text = typeof body === "string"
    ? body
    : JSON.stringify({ ChangeType: 5, ContextIdentifier: "Cust12345", Token: jwt, ...body });
  const answer = await fetch(url, { method: "POST", body: text, ...init });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}
const statusOf = async (body: string | Record<string, unknown>) => (await post(body)).status;
const warnings = () => lines.filter(({ level }) => level === "warning");

describe("a notification that is posted", () => {
  test("is heeded when SuperOffice signed it", async () => {
    assert.equal(await statusOf({}), 200);
    assert.equal(await statusOf({ ChangeType: "resume", ContextIdentifier: "cust2" }), 200);
    assert.deepEqual(heeded, ["Cust12345 Move", "cust2 Resume"]);
    assert.deepEqual(counted, ["notifications.heeded", "notifications.heeded"]);
    assert.deepEqual(lines, []);
  });

  test("is taken whatever it says that it holds", async () => {
    for (
      const type of [
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
      ]
    ) {
      const body = JSON.stringify({ ChangeType: 5, ContextIdentifier: "Cust1", Token: jwt });
      assert.equal((await post(body, { headers: { "content-type": type } })).status, 200);
    }
  });

  test("is told and left where its type is not known", async () => {
    assert.equal(await statusOf({ ChangeType: 99 }), 200);
    assert.deepEqual(heeded, []);
    assert.match(lines[0]!.message, /^Cust12345: SuperOffice says .* not known here \(99\)/);
  });

  test("is refused when it is forged, expired or holds no JWT; which is said once a minute", async () => {
    const expired = await jwtBy(key, { exp: 1 });
    for (const Token of [forged, forged, "", "eyJ.eyJ.eyJ", expired]) {
      const { status, text } = await post({ Token });
      assert.equal(status, 401);
      assert.equal(text, "The token is not valid.\n");
    }
    assert.deepEqual(heeded, []);
    assert.deepEqual(counted, Array(5).fill("notifications.refused"));
    assert.equal(warnings().length, 1);
    assert.match(warnings()[0]!.message, /^1 notification\(s\) were refused .*no key of the login/);
    now += MINUTE;
    assert.equal(await statusOf({ Token: forged }), 401);
    assert.match(warnings()[1]!.message, /^5 notification\(s\) were refused/);
    assert.ok(!JSON.stringify(lines).includes("eyJ"));
  });

  test("is refused where it is no notification", async () => {
    for (const body of ["", "{}", "<html>", JSON.stringify({ Token: jwt })]) {
      assert.equal(await statusOf(body), 400);
    }
    assert.equal(warnings().length, 1);
    assert.equal(keysAsked, 0);
  });

  test("is refused where it is too long, and by another method", async () => {
    assert.equal(await statusOf({ VersionName: "x".repeat(64 * 1024) }), 413);
    const { status, headers } = await post("", { method: "PUT" });
    assert.deepEqual([status, headers.get("allow")], [405, "POST"]);
    assert.equal(keysAsked, 0);
  });

  test("has an answer though the login host's keys take their time, and is heeded then", async () => {
    let give = () => {};
    keySet.get = () => new Promise((resolve) => give = () => resolve(keys));
    assert.equal(await statusOf({}), 200);
    assert.deepEqual(heeded, []);
    give();
    while (heeded.length === 0) await new Promise((go) => setTimeout(go, 5));
    assert.deepEqual(heeded, ["Cust12345 Move"]);
  });

  test("is not judged where the keys cannot be read; they are not asked for at each", async () => {
    keySet.get = () => Promise.reject(new NetworkError("sod.superoffice.com could not be reached"));
    for (let times = 0; times < 3; times++) {
      const { status, headers } = await post({});
      assert.deepEqual([status, headers.get("retry-after")], [503, "30"]);
    }
    assert.equal(keysAsked, 1);
    assert.equal(warnings().length, 1);
    assert.match(warnings()[0]!.message, /could not be judged.*sod\.superoffice\.com could not/);
    keySet.get = () => Promise.resolve(keys);
    now += 5000;
    assert.equal(await statusOf({}), 200);
  });

  test("is told to come again when there are very many, and those do not cost a look", async () => {
    const statuses: number[] = [];
    for (let times = 0; times < 310; times++) statuses.push(await statusOf(""));
    assert.deepEqual(statuses.slice(300), Array(10).fill(429));
    now += 1000;
    assert.equal(await statusOf({}), 200);
  });

  test("is heeded by the keys that are known, whatever others wait for", async () => {
    const strange = await jwtBy({ ...otherKey, kid: "nobody knows it" });
    const give: (() => void)[] = [];
    keySet.renew = () => new Promise((resolve) => give.push(() => resolve(keys)));
    const late = await Promise.all(
      [60, 40].map(async (many) =>
        await Promise.all(Array.from({ length: many }, () => statusOf({ Token: strange })))
      ),
    );
    assert.deepEqual(new Set(late.flat()), new Set([200]));
    // No more than a hundred wait.
    assert.equal(await statusOf({ Token: strange }), 503);
    assert.equal(give.length, 100);
    assert.equal(await statusOf({}), 200);
    assert.deepEqual(heeded, ["Cust12345 Move"]);
    for (const one of give) one();
    while (counted.length < 101) await new Promise((go) => setTimeout(go, 1));
    assert.deepEqual(heeded, ["Cust12345 Move"]);
  });

  test("is heeded by the keys that are known, though newer ones could not be read", async () => {
    const strange = await jwtBy({ ...otherKey, kid: "nobody knows it" });
    let renewed = 0;
    keySet.renew = () => {
      renewed++;
      return Promise.reject(new NetworkError("sod.superoffice.com could not be reached"));
    };
    for (let times = 0; times < 3; times++) assert.equal(await statusOf({ Token: strange }), 503);
    assert.equal(renewed, 1);
    assert.equal(await statusOf({}), 200);
    assert.deepEqual(heeded, ["Cust12345 Move"]);
  });

  test("is judged by its audience, where the client id is known", async () => {
    const Token = await jwtBy(key, { aud: "client-1" });
    assert.equal(await statusOf({ Token }), 200);
    assert.equal(await statusOf({ Token }), 200);
    const hints = lines.filter(({ message }) => message.includes("SUPEROFFICE_CLIENT_ID"));
    assert.equal(hints.length, 1);
    await server.close();
    await open("client-2");
    assert.equal(await statusOf({ Token }), 401);
    await server.close();
    await open("client-1");
    assert.equal(await statusOf({ Token }), 200);
  });
});
