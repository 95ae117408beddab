import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  CompactSign,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  type JWK,
  type LocalJWKSet,
  SignJWT,
} from "jose";
import { createJwt, createSigningKey, type Forgery, type SigningKey } from "../../fixtures/jwts.ts";
import { JwtInvalidError } from "../../src/superoffice/errors.ts";
import type { KeySet } from "../../src/superoffice/keySet.ts";
import { validateJwt } from "../../src/superoffice/validateJwt.ts";

const CLAIM = "http://schemes.superoffice.net/identity/";
const NOW = new Date("2026-01-02T03:04:05Z");
const SUBJECT = {
  contextIdentifier: "Cust12345",
  serial: "1000012345",
  companyName: "Company",
  associateId: 7,
  ticket: "7T:ticket-of-Cust12345",
  webApiUrl: "https://online3.superoffice.com/Cust12345/api/",
};
const STYLE = { namesKey: true, timesAsText: false };
const [key, otherKey, thirdKey] = await Promise.all([
  createSigningKey(),
  createSigningKey(),
  createSigningKey(),
]);

interface CountedKeySet extends KeySet {
  renewals: number;
}

/** A key set as known, and as it is found when it is read again. */
function keySetOf(jwks: JWK[], later: JWK[] = jwks): CountedKeySet {
  const known: LocalJWKSet = createLocalJWKSet({ keys: jwks });
  const renewed = createLocalJWKSet({ keys: later });
  return {
    renewals: 0,
    get: () => Promise.resolve(known),
    renew(stale) {
      assert.equal(stale, known);
      this.renewals++;
      return Promise.resolve(renewed);
    },
  };
}

const withoutKid = ({ publicJwk: { kid: _, ...jwk } }: SigningKey) => jwk;
const goodJwt = (by = key, style = STYLE) => createJwt(SUBJECT, by, NOW.getTime(), style);
const validate = (jwt: string, keySet = keySetOf([key.publicJwk]), now = NOW) =>
  validateJwt(jwt, "Cust12345", keySet, now);

/** A JWT with other claims than the usual ones; undefined leaves one out. */
async function jwtWith(claims: Record<string, unknown>): Promise<string> {
  const nowSeconds = NOW.getTime() / 1000;
  const all = {
    iss: "SuperOffice AS",
    aud: "spn:1000012345",
    nbf: nowSeconds,
    exp: nowSeconds + 300,
    [`${CLAIM}ctx`]: "Cust12345",
    [`${CLAIM}serial`]: "1000012345",
    [`${CLAIM}ticket`]: SUBJECT.ticket,
    ...claims,
  };
  return await new SignJWT(all).setProtectedHeader({ alg: "RS256" }).sign(key.privateKey);
}

async function refusalOf(validation: Promise<unknown>): Promise<JwtInvalidError> {
  const error: unknown = await validation.then(
    () => assert.fail("the JWT was accepted"),
    (error) => error,
  );
  assert.ok(error instanceof JwtInvalidError, String(error));
  assert.match(error.message, /^The exchange's JWT was refused: /);
  assert.ok(!error.message.includes(SUBJECT.ticket), "the message holds the ticket");
  return error;
}

const STYLES = [true, false].flatMap((namesKey) =>
  [true, false].map((timesAsText) => ({ namesKey, timesAsText }))
);
const inStyle = ({ namesKey, timesAsText }: typeof STYLE) =>
  `that ${namesKey ? "names" : "does not name"} its key and has times as ` +
  (timesAsText ? "text" : "numbers");

describe("a JWT is accepted", () => {
  for (const style of STYLES) {
    test(`${inStyle(style)}`, async () => {
      assert.deepEqual(await validate(await goodJwt(key, style)), {
        ticket: SUBJECT.ticket,
        contextIdentifier: "Cust12345",
      });
    });
  }

  const keySets: Record<string, JWK[]> = {
    "one key": [key.publicJwk],
    "one key without a name": [withoutKid(key)],
    "several keys, its own first": [key.publicJwk, otherKey.publicJwk, thirdKey.publicJwk],
    "several keys, its own last": [otherKey.publicJwk, thirdKey.publicJwk, key.publicJwk],
  };
  for (const namesKey of [true, false]) {
    for (const [which, jwks] of Object.entries(keySets)) {
      // A header that names its key needs a set that does so, too.
      if (namesKey && jwks.every(({ kid }) => kid === undefined)) continue;
      test(`whose header ${namesKey ? "names" : "does not name"} its key, from ${which}`, async () => {
        const keySet = keySetOf(jwks);
        const jwt = await goodJwt(key, { namesKey, timesAsText: false });
        assert.equal((await validate(jwt, keySet)).ticket, SUBJECT.ticket);
        assert.equal(keySet.renewals, 0);
      });
    }
  }

  test("when the nameless keys of the set are several", async () => {
    const jwks = [otherKey, key, thirdKey].map(withoutKid);
    await validate(await goodJwt(key, { ...STYLE, namesKey: false }), keySetOf(jwks));
  });

  test("when keys of other kinds stand beside its own", async () => {
    const ec = await exportJWK((await generateKeyPair("ES256")).publicKey);
    const encryption = { ...otherKey.publicJwk, use: "enc" };
    const jwt = await goodJwt(key, { ...STYLE, namesKey: false });
    await validate(jwt, keySetOf([ec, encryption, key.publicJwk]));
  });

  for (const namesKey of [true, false]) {
    test(`when its key ${namesKey ? "" : "(not named) "}is new since the keys were read`, async () => {
      const keySet = keySetOf([otherKey.publicJwk], [otherKey.publicJwk, key.publicJwk]);
      await validate(await goodJwt(key, { ...STYLE, namesKey }), keySet);
      assert.equal(keySet.renewals, 1);
    });
  }

  for (const ctx of ["cust12345", "CUST12345", "cUSt12345"]) {
    test(`for the tenant asked for, written ${ctx}`, async () => {
      const { contextIdentifier } = await validate(await jwtWith({ [`${CLAIM}ctx`]: ctx }));
      assert.equal(contextIdentifier, ctx);
    });
  }

  test("with its audience in a list, among others", async () => {
    await validate(await jwtWith({ aud: ["spn:1000012345"] }));
    await validate(await jwtWith({ aud: ["spn:1", "spn:1000012345"] }));
  });

  test("with its serial as a number", async () => {
    await validate(await jwtWith({ [`${CLAIM}serial`]: 1000012345 }));
  });
});

describe("a forged JWT is refused", () => {
  const NO_KEY = /no key of the login host explains its signature$/;
  const ALGORITHM = /"alg".*not allowed/;
  const reasons: Record<Forgery, RegExp> = {
    unknownKey: NO_KEY,
    changedPayload: NO_KEY,
    unsigned: ALGORITHM,
    hmacWithPublicKey: ALGORITHM,
    otherRsaAlgorithm: ALGORITHM,
    otherIssuer: /its issuer is «https:\/\/sod\.superoffice\.com», not «SuperOffice AS»$/,
    otherAudience: /its audience is «spn:1234567890», not «spn:1000012345»$/,
    expired:
      /it expired at 2026-01-02T02:59:05\.000Z, and this machine's clock says 2026-01-02T03:04/,
    notYetValid:
      /it is not valid before 2026-01-02T03:09:05\.000Z, and this machine's clock says 2026-01-02T03:04/,
    otherTenant: /it is for the tenant Cust99999$/,
    noExpiry: /claims are missing or malformed: exp$/,
    noTicket: /claims are missing or malformed: ticket$/,
    garbage: /JWS|JWT/,
  };
  for (const [forgery, reason] of Object.entries(reasons) as [Forgery, RegExp][]) {
    for (const style of STYLES) {
      test(`${forgery}, in one ${inStyle(style)}`, async () => {
        const jwt = await createJwt(SUBJECT, key, NOW.getTime(), style, forgery);
        for (const jwks of [[key.publicJwk], [otherKey.publicJwk, key.publicJwk]]) {
          const { message, code } = await refusalOf(validate(jwt, keySetOf(jwks)));
          assert.match(message, reason);
          assert.equal(code, "JWT_INVALID");
        }
      });
    }
  }
});

describe("a JWT is refused", () => {
  test("when it is for another tenant than the one asked for", async () => {
    const keySet = keySetOf([key.publicJwk]);
    const validation = validateJwt(await goodJwt(), "Cust1234", keySet, NOW);
    assert.match((await refusalOf(validation)).message, /it is for the tenant Cust12345$/);
  });

  test("when another key signed it than the one its header names", async () => {
    const jwt = await goodJwt({ ...otherKey, kid: key.kid });
    const keySet = keySetOf([key.publicJwk, otherKey.publicJwk]);
    assert.match((await refusalOf(validate(jwt, keySet))).message, /no key of the login host/);
  });

  test("when its key is gone from the set, after one new look at it", async () => {
    const keySet = keySetOf([otherKey.publicJwk], [thirdKey.publicJwk]);
    assert.match((await refusalOf(validate(await goodJwt(), keySet))).message, /no key/);
    assert.equal(keySet.renewals, 1);
  });

  test("without a new look at the keys when a claim is wrong", async () => {
    const keySet = keySetOf([key.publicJwk]);
    await refusalOf(validate(await jwtWith({ iss: "Somebody" }), keySet));
    assert.equal(keySet.renewals, 0);
  });

  const audiences: Record<string, unknown> = {
    "is a list without it": ["spn:1", "spn:2"],
    "is an empty list": [],
    "only begins like it": "spn:10000123456",
    "lacks the prefix": "1000012345",
  };
  for (const [how, aud] of Object.entries(audiences)) {
    test(`when its audience ${how}`, async () => {
      assert.match((await refusalOf(validate(await jwtWith({ aud })))).message, /its audience is/);
    });
  }

  const malformed: [string, unknown][] = [
    ["iss", undefined],
    ["aud", undefined],
    ["aud", 7],
    ["nbf", undefined],
    ["nbf", "soon"],
    ["exp", "1e99"],
    ["exp", "-1"],
    ["exp", null],
    [`${CLAIM}ctx`, undefined],
    [`${CLAIM}serial`, undefined],
    [`${CLAIM}ticket`, ""],
    [`${CLAIM}ticket`, "7T:in two\nlines"],
    [`${CLAIM}ticket`, 7],
  ];
  for (const [claim, value] of malformed) {
    const name = claim.replace(CLAIM, "");
    test(`when its ${name} is ${JSON.stringify(value) ?? "missing"}`, async () => {
      const { message } = await refusalOf(validate(await jwtWith({ [claim]: value })));
      assert.ok(message.endsWith(`claims are missing or malformed: ${name}`), message);
    });
  }

  test("when several claims are missing, naming them all", async () => {
    const jwt = await jwtWith({ iss: undefined, exp: undefined, [`${CLAIM}ctx`]: undefined });
    assert.match((await refusalOf(validate(jwt))).message, /malformed: iss, exp, ctx$/);
  });

  test("when its payload is not JSON", async () => {
    const jwt = await new CompactSign(new TextEncoder().encode("hello"))
      .setProtectedHeader({ alg: "RS256" }).sign(key.privateKey);
    assert.match((await refusalOf(validate(jwt))).message, /its payload is not JSON$/);
  });

  test("with the key set's own error when that cannot be read", async () => {
    const unreachable = new Error("unreachable");
    const first: KeySet = { ...keySetOf([]), get: () => Promise.reject(unreachable) };
    const second = { ...keySetOf([otherKey.publicJwk]), renew: () => Promise.reject(unreachable) };
    for (const keySet of [first, second]) {
      await assert.rejects(
        validateJwt(await goodJwt(), "Cust12345", keySet, NOW),
        (error) => error === unreachable,
      );
    }
  });
});

describe("the clocks may differ by half a minute", () => {
  const nbf = NOW.getTime();
  const exp = nbf + 300_000;
  for (
    const [what, at, accepted] of [
      ["30 s before its start", nbf - 30_000, true],
      ["30.001 s before its start", nbf - 30_001, false],
      ["at its end", exp, true],
      ["29.999 s after its end", exp + 29_999, true],
      ["30 s after its end", exp + 30_000, false],
    ] as const
  ) {
    for (const timesAsText of [true, false]) {
      test(
        `${what} a JWT with times as ${timesAsText ? "text" : "numbers"} is ${
          accepted ? "accepted" : "refused"
        }`,
        async () => {
          const jwt = await goodJwt(key, { namesKey: true, timesAsText });
          const validation = validate(jwt, undefined, new Date(at));
          if (accepted) return void await validation;
          const clock = `this machine's clock says ${new Date(at).toISOString()}`;
          assert.ok((await refusalOf(validation)).message.endsWith(clock));
        },
      );
    }
  }
});
