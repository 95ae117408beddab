import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLocalJWKSet } from "jose";
import {
  ID_TOKEN_FORGERIES,
  idTokenClaims,
  type IdTokenForgery,
  type IdTokenSubject,
} from "../../fixtures/idToken.ts";
import { CLAIM, createSigningKey, signJwt } from "../../fixtures/jwts.ts";
import { JwtInvalidError, SystemTokenMissingError } from "../../src/superoffice/errors.ts";
import type { KeySet } from "../../src/superoffice/keySet.ts";
import { validateIdToken } from "../../src/superoffice/validateIdToken.ts";

const NOW = new Date("2026-01-02T03:04:05Z");
const STYLE = { namesKey: true, timesAsText: false };
const ASKER = { loginUrl: "https://sod.superoffice.com", clientId: "our-client", nonce: "a-nonce" };
const SUBJECT: IdTokenSubject = {
  issuer: ASKER.loginUrl,
  audience: ASKER.clientId,
  nonce: ASKER.nonce,
  contextIdentifier: "Cust12345",
  serial: "1000012345",
  systemUserToken: "Test Appß-pzqc70604i",
  companyName: "Company",
  user: "administrator@example.com",
  webApiUrl: "https://online3.superoffice.com/Cust12345/api/",
};
const key = await createSigningKey();
const known = createLocalJWKSet({ keys: [key.publicJwk] });
const keySet: KeySet = { get: () => Promise.resolve(known), renew: () => Promise.resolve(known) };

async function idToken(changes: Record<string, unknown> = {}, style = STYLE): Promise<string> {
  const claims = { ...idTokenClaims(SUBJECT, NOW.getTime()), ...changes };
  return await signJwt(claims, key, NOW.getTime(), style);
}

const forged = (forgery: IdTokenForgery) =>
  signJwt(idTokenClaims(SUBJECT, NOW.getTime(), forgery), key, NOW.getTime(), STYLE, forgery);

const validate = (jwt: string) => validateIdToken(jwt, ASKER, keySet, NOW);

test("an id_token gives tenant, system user token and company, though its iat is a text", async () => {
  assert.deepEqual(await validate(await idToken()), {
    contextIdentifier: "Cust12345",
    systemUserToken: "Test Appß-pzqc70604i",
    companyName: "Company",
  });
});

test("a company's name is cut where it is very long, between words", async () => {
  const { companyName } = await validate(
    await idToken({ [`${CLAIM}company_name`]: `${"x ".repeat(98)}Test Appß-pzqc70604i` }),
  );
  assert.equal(companyName, `${"x ".repeat(98)}…`);
});

describe("an id_token is taken", () => {
  const cases: [string, Record<string, unknown>][] = [
    ["for its own serial", { aud: "spn:1000012345" }],
    ["for several, this application among them", { aud: ["other", "our-client"] }],
    ["from an issuer with a slash at its end", { iss: "https://sod.superoffice.com/" }],
    ["without a company's name", { [`${CLAIM}company_name`]: undefined }],
    ["with a serial that is a number", { [`${CLAIM}serial`]: 1000012345 }],
  ];
  for (const [what, changes] of cases) {
    test(what, async () => {
      assert.equal((await validate(await idToken(changes))).contextIdentifier, "Cust12345");
    });
  }

  test("with all times as texts", async () => {
    await validate(await idToken({}, { namesKey: false, timesAsText: true }));
  });
});

describe("an id_token is refused", () => {
  const REASONS: Partial<Record<IdTokenForgery, RegExp>> = {
    unknownKey: /no key of the login host explains its signature/,
    unsigned: /was refused/,
    otherIssuer: /its issuer is «https:\/\/login\.example\.com»/,
    exchangeIssuer: /its issuer is «SuperOffice AS»/,
    otherAudience: /for another application: its audience is «the-client-id-of-another/,
    noAudience: /missing or malformed: aud/,
    otherNonce: /its nonce is not the one of this approval/,
    noNonce: /its nonce is not the one of this approval/,
    expired: /it expired at/,
    notYetValid: /it is not valid before/,
    noTenant: /missing or malformed: ctx/,
  };
  const taken: IdTokenForgery[] = [
    "otherTenant",
    "notAdministrator",
    "noSystemToken",
    "emptySystemToken",
  ];
  for (const forgery of ID_TOKEN_FORGERIES.filter((forgery) => !taken.includes(forgery))) {
    test(`that is forged: ${forgery}`, async () => {
      await assert.rejects(validate(await forged(forgery)), (error: Error) => {
        assert.ok(error instanceof JwtInvalidError, String(error));
        assert.match(error.message, /^The id_token was refused: /);
        assert.match(error.message, REASONS[forgery] ?? /./);
        return true;
      });
    });
  }

  for (const forgery of ["noSystemToken", "emptySystemToken"] as const) {
    test(`that holds no system user token, with what to do: ${forgery}`, async () => {
      await assert.rejects(validate(await forged(forgery)), (error: Error) => {
        assert.ok(error instanceof SystemTokenMissingError);
        assert.match(error.message, /^Cust12345 approved/);
        assert.match(error.remedy, /server to server/);
        return true;
      });
    });
  }

  test("that holds a blank as its system user token", async () => {
    await assert.rejects(
      validate(await idToken({ [`${CLAIM}system_token`]: " " })),
      SystemTokenMissingError,
    );
  });

  test("whose issuer is a book, of which little is quoted", async () => {
    await assert.rejects(validate(await idToken({ iss: "x ".repeat(50_000) })), (error: Error) => {
      assert.ok(error.message.length < 400, error.message);
      return true;
    });
  });

  const malformed: [string, Record<string, unknown>][] = [
    ["another serial's", { aud: "spn:999" }],
    ["that is for nothing at all", { aud: "spn:" }],
    [
      "of an issuer whose name only begins as the login host's",
      { iss: "https://sod.superoffice.com.evil.example" },
    ],
    ["with a tenant of two words", { [`${CLAIM}ctx`]: "Cust1 Cust2" }],
    ["with a tenant that is a book", { [`${CLAIM}ctx`]: "C".repeat(101) }],
    ["with a tenant that breaks a line", { [`${CLAIM}ctx`]: "Cust1\nCust2" }],
    ["with a token that breaks a line", { [`${CLAIM}system_token`]: "one\ntwo" }],
    ["with a token that is a book", { [`${CLAIM}system_token`]: "x".repeat(5000) }],
  ];
  for (const [what, changes] of malformed) {
    test(what, async () => {
      await assert.rejects(validate(await idToken(changes)), JwtInvalidError);
    });
  }
});
