import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLocalJWKSet, SignJWT, UnsecuredJWT } from "jose";
import { createSigningKey } from "../../fixtures/jwts.ts";
import { JwtInvalidError } from "../../src/superoffice/errors.ts";
import type { KeySet } from "../../src/superoffice/keySet.ts";
import { readNotification, validateNotification } from "../../src/superoffice/notification.ts";

const CLAIM = "http://schemes.superoffice.net/identity/";
const LOGIN_URL = "https://sod.superoffice.com";
const NOW = new Date("2026-01-02T03:04:05Z");
const NOW_SECONDS = NOW.getTime() / 1000;
const [key, otherKey] = [await createSigningKey(), await createSigningKey()];
const keys = createLocalJWKSet({ keys: [key.publicJwk] });
const keySet: KeySet = { get: () => Promise.resolve(keys), renew: () => Promise.resolve(keys) };

const body = (fields: Record<string, unknown> = {}) =>
  JSON.stringify({
    ChangeType: 5,
    ContextIdentifier: "Cust12345",
    VersionName: "Release_10.3.8_2024.08.30-01",
    FileVersion: "10.3.8.2024",
    Token: "eyJ",
    PublicEndpoint: "sod3.superoffice.com",
    ...fields,
  });

describe("a notification is read", () => {
  const types: [unknown, unknown][] = [
    [0, "Upgrade"],
    [1, "BackupRestored"],
    [2, "Suspend"],
    [3, "Resume"],
    [4, "Delete"],
    [5, "Move"],
    ["5", "Move"],
    ["Move", "Move"],
    [" backuprestored ", "BackupRestored"],
    [6, { unknown: "6" }],
    [-1, { unknown: "-1" }],
    ["Merge", { unknown: "Merge" }],
    ["", { unknown: "" }],
  ];
  for (const [ChangeType, change] of types) {
    test(`whose type is ${JSON.stringify(ChangeType)}`, () => {
      assert.deepEqual(readNotification(body({ ChangeType })), {
        contextIdentifier: "Cust12345",
        change,
        jwt: "eyJ",
      });
    });
  }

  test("as its sender writes it: with a byte order mark, without what is not needed", () => {
    const sent = '\uFEFF{"ContextIdentifier":"cust1","ChangeType":2}';
    assert.deepEqual(readNotification(sent), {
      contextIdentifier: "cust1",
      change: "Suspend",
      jwt: "",
    });
  });
});

describe("what is no notification is not read:", () => {
  const bodies = {
    "nothing": "",
    "no JSON": "<html>",
    "a list": "[]",
    "null": "null",
    "one of nobody": body({ ContextIdentifier: undefined }),
    "one of a number": body({ ContextIdentifier: 12345 }),
    "one of dots": body({ ContextIdentifier: ".." }),
    "one with a line break": body({ ContextIdentifier: "Cust1\nCust2" }),
    "one with half a letter, which no database takes": body({ ContextIdentifier: "A\ud800" }),
    "one with a very long name": body({ ContextIdentifier: "C".repeat(101) }),
    "one without a type": body({ ChangeType: undefined }),
    "one with a type that is a book": body({ ChangeType: "x".repeat(101) }),
    "one of a broken type": body({ ChangeType: 1.5 }),
    "one with a token that is none": body({ Token: {} }),
  };
  for (const [what, text] of Object.entries(bodies)) {
    test(what, () => assert.equal(readNotification(text), undefined));
  }
});

async function jwtWith(claims: Record<string, unknown>, by = key): Promise<string> {
  return await new SignJWT({ iss: LOGIN_URL, ...claims })
    .setProtectedHeader({ alg: "RS256", kid: by.kid }).sign(by.privateKey);
}

const validate = (jwt: string, clientId?: string) =>
  validateNotification(
    { contextIdentifier: "Cust12345", change: "Move", jwt },
    { loginUrl: LOGIN_URL, clientId },
    keySet,
    NOW,
  );

async function refusalOf(validation: Promise<unknown>): Promise<string> {
  const error = await validation.then(() => assert.fail("it was accepted"), (error) => error);
  assert.ok(error instanceof JwtInvalidError, String(error));
  return error.message;
}

describe("a notification is believed", () => {
  const honest: Record<string, Record<string, unknown>> = {
    "with an issuer alone": {},
    "with times": { nbf: NOW_SECONDS - 10, exp: NOW_SECONDS + 10 },
    "with times as strings": { iat: `${NOW_SECONDS}`, exp: `${NOW_SECONDS + 10}` },
    "with its tenant, in whatever case": { [`${CLAIM}ctx`]: "cust12345" },
    "with its own serial as audience": { aud: "spn:17", [`${CLAIM}serial`]: "17" },
    "with an issuer that ends in a slash": { iss: `${LOGIN_URL}/` },
  };
  for (const [how, claims] of Object.entries(honest)) {
    test(how, async () => {
      assert.deepEqual(await validate(await jwtWith(claims)), { isAudienceJudged: true });
    });
  }

  test("with the client id as audience", async () => {
    const jwt = await jwtWith({ aud: ["client-1"] });
    assert.deepEqual(await validate(jwt, "client-1"), { isAudienceJudged: true });
  });

  test("without judging an audience where no client id is known", async () => {
    const jwt = await jwtWith({ aud: "client-1" });
    assert.deepEqual(await validate(jwt), { isAudienceJudged: false });
  });
});

describe("a notification is refused", () => {
  const forged: [string, Record<string, unknown>, RegExp][] = [
    ["of another issuer", { iss: "https://online.superoffice.com" }, /issuer is not https:\/\/sod/],
    [
      "of an issuer whose name only begins as the login host's",
      { iss: `${LOGIN_URL}.evil.example` },
      /issuer is not/,
    ],
    ["with the issuer of the exchange's JWTs", { iss: "SuperOffice AS" }, /issuer is not/],
    ["without an issuer", { iss: undefined }, /missing or malformed: iss/],
    ["whose time is over", { exp: NOW_SECONDS - 31 }, /it expired at/],
    ["whose time is to come", { nbf: NOW_SECONDS + 31 }, /it is not valid before/],
    ["with a time that is none", { exp: "soon" }, /malformed: exp/],
    ["for another tenant", { [`${CLAIM}ctx`]: "Cust1" }, /for another tenant/],
    ["for no audience", { aud: [] }, /for another audience/],
    ["for another installation", { aud: "spn:18", [`${CLAIM}serial`]: "17" }, /another audience/],
    ["for an installation that it does not name", { aud: "spn:18" }, /another audience/],
  ];
  for (const [how, claims, reason] of forged) {
    test(how, async () => {
      const message = await refusalOf(validate(await jwtWith(claims)));
      assert.match(message, /^The notification's JWT was refused: /);
      assert.match(message, reason);
    });
  }

  test("for another application", async () => {
    assert.match(
      await refusalOf(validate(await jwtWith({ aud: "client-2" }), "client-1")),
      /audience/,
    );
  });

  test("that another key signed, or none", async () => {
    assert.match(
      await refusalOf(validate(await jwtWith({}, otherKey))),
      /no key of the login host/,
    );
    const misnamed = await jwtWith({}, { ...otherKey, kid: key.kid });
    assert.match(await refusalOf(validate(misnamed)), /no key of the login host/);
    assert.match(await refusalOf(validate(new UnsecuredJWT({ iss: LOGIN_URL }).encode())), /"alg"/);
    assert.match(await refusalOf(validate("garbage")), /JWS/);
    assert.match(await refusalOf(validate("")), /holds none/);
  });
});
