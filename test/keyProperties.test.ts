// What private keys, JWTs and key sets are taken for, whatever they hold: right ones, or a documented error.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPublicKey, KeyObject, sign, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe } from "node:test";
import fc from "fast-check";
import { createLocalJWKSet } from "jose";
import { createSigningKey } from "../fixtures/jwts.ts";
import { createKeySet, type KeySet, readKeySet } from "../src/superoffice/keySet.ts";
import { importPrivateKey, parsePrivateKey } from "../src/superoffice/privateKey.ts";
import { validateJwt } from "../src/superoffice/validateJwt.ts";
import {
  answerOf,
  answers,
  changed,
  near,
  otherText,
  sender,
  STATUS_CODES,
  writeHuge,
} from "./support/answers.ts";
import { errorOf, oddText, property, repeatedText, written } from "./support/property.ts";

const LOGIN_URL = "https://sod.superoffice.com";
const TENANT = "Cust12345";
const CLAIM = "http://schemes.superoffice.net/identity/";
const NOW = new Date("2026-01-02T03:04:05Z");
const nowSeconds = NOW.getTime() / 1000;

const read = (name: string) =>
  readFile(new URL(`../fixtures/keys/app-key.${name}`, import.meta.url), "utf8");
const [xml, pkcs1, pkcs8] = await Promise.all(["xml", "pkcs1.pem", "pkcs8.pem"].map(read)) as [
  string,
  string,
  string,
];

/** Every 20 letters in a row of what a key's text holds in Base64. */
const runsOfKey = new Set([xml, pkcs1, pkcs8].flatMap((text) => {
  const base64 = text.replace(/-----[^-]+-----|<[^>]*>|\s/g, "");
  return Array.from({ length: base64.length - 19 }, (_, at) => base64.slice(at, at + 20));
}));

function holdsKey(text: string): boolean {
  return Array.from(text, (_, at) => text.slice(at, at + 20)).some((run) => runsOfKey.has(run));
}

describe("a private key is imported and signs, or is refused without a letter of it:", () => {
  const assertSignsOrRefused = async (text: string) => {
    let key: KeyObject | undefined;
    let imported: CryptoKey | undefined;
    const error = await errorOf(async () => {
      key = parsePrivateKey(text);
      imported = await importPrivateKey(text);
    }, "PRIVATE_KEY_WRONG");
    if (error !== undefined) {
      assert.equal(key, undefined, "it was parsed, but could not be imported");
      assert.ok(!holdsKey(`${error.message} ${error.remedy}`), "part of the key is told");
      return;
    }
    const data = Buffer.from("what is signed");
    const signature = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", imported!, data);
    assert.ok(verify("sha256", data, createPublicKey(key!), new Uint8Array(signature)));
  };
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  const texts = fc.constantFrom(xml, pkcs1, pkcs8);
  const letters = fc.oneof(oddText, fc.constantFrom(xml, pkcs1, pkcs8, "AAAA", "-----END "));
  const numbers = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom(0, 1, 2, 3, 127, 128, 255).map((byte) => Uint8Array.of(byte)),
    fc.tuple(fc.nat({ max: 255 }), fc.constantFrom(1, 256, 257, 2049))
      .map(([byte, length]) => new Uint8Array(length).fill(byte)),
  ).map(base64);
  const PARTS = ["Modulus", "Exponent", "P", "Q", "DP", "DQ", "InverseQ", "D"];
  const valueOf = (name: string) => xml.match(new RegExp(`<${name}>([^<]*)`))![1]!;

  property("any text", fc.oneof(oddText, fc.string({ maxLength: 500 })), assertSignsOrRefused);

  property(
    "long text",
    repeatedText,
    (text) => assertSignsOrRefused(written(text)),
    { share: 0.3 },
  );

  property(
    "changed letters",
    texts.chain((text) => changed(text, letters)),
    assertSignsOrRefused,
  );

  property(
    "changed bytes",
    fc.tuple(
      fc.constantFrom(pkcs1, pkcs8),
      fc.array(fc.tuple(fc.nat({ max: 40 }), fc.nat({ max: 1300 }), fc.nat({ max: 255 })), {
        maxLength: 3,
      }),
      fc.option(fc.nat({ max: 1300 })),
    ).map(([pem, changes, end]) => {
      const [, first, body, last] = pem.match(/^(-.*-)\n([^-]*)(-.*-)/)!;
      const der = Buffer.from(body!, "base64");
      for (const [near, anywhere, byte] of changes) {
        der[byte % 2 === 0 ? near : anywhere % der.length] = byte;
      }
      return `${first}\n${base64(der.subarray(0, end ?? der.length))}\n${last}`;
    }),
    assertSignsOrRefused,
  );

  property(
    "XML with other numbers, in another order, twice or not at all",
    fc.array(
      fc.tuple(
        fc.constantFrom(...PARTS),
        fc.oneof(
          numbers,
          fc.constantFrom(...PARTS).map(valueOf),
          oddText.map((text) => text.replaceAll("<", "")),
        ),
        fc.constantFrom("before", "instead"),
      ),
      { maxLength: 3 },
    ).map((changes) =>
      changes.reduce(
        (xml, [name, value, where]) =>
          xml.replace(new RegExp(`<${name}>[^<]*</${name}>`), (old) =>
            `<${name}>${value}</${name}>${where === "before" ? old : ""}`),
        xml,
      )
    ),
    assertSignsOrRefused,
  );
});

const key = await createSigningKey();
const knownKeys = createLocalJWKSet({ keys: [key.publicJwk] });
const keySet: KeySet = {
  get: () => Promise.resolve(knownKeys),
  renew: () => Promise.resolve(knownKeys),
};
const privateKey = KeyObject.from(key.privateKey as Parameters<typeof KeyObject.from>[0]);
const TICKET = "7T:ticket-0123456789";
const CLAIMS = {
  iss: "SuperOffice AS",
  aud: "spn:1000012345",
  nbf: nowSeconds,
  exp: nowSeconds + 300,
  [`${CLAIM}ctx`]: TENANT,
  [`${CLAIM}serial`]: "1000012345",
  [`${CLAIM}ticket`]: TICKET,
};
const HEADER = { alg: "RS256", typ: "JWT", kid: key.kid };

/** A JWT with any header and payload, and the signature that belongs to them. */
function signed(payload: string, header = JSON.stringify(HEADER)): string {
  const text = [header, payload]
    .map((part) => Buffer.from(writeHuge(part)).toString("base64url")).join(".");
  return `${text}.${sign("sha256", Buffer.from(text), privateKey).toString("base64url")}`;
}

const goodJwt = signed(JSON.stringify(CLAIMS));

describe("a JWT is believed when every check passes, and refused otherwise:", () => {
  const assertRightOrRefused = async (jwt: string) => {
    const error = await errorOf(async () => {
      const { ticket, contextIdentifier } = await validateJwt(jwt, TENANT, keySet, NOW);
      const [header, claims] = jwt.split(".").slice(0, 2).map((part) =>
        JSON.parse(Buffer.from(part, "base64url").toString())
      );
      assert.equal(header.alg, "RS256");
      assert.equal(claims.iss, "SuperOffice AS");
      assert.ok([claims.aud].flat().includes(`spn:${claims[`${CLAIM}serial`]}`));
      assert.ok(Number(claims.nbf) <= nowSeconds + 30 && Number(claims.exp) > nowSeconds - 30);
      assert.match(claims[`${CLAIM}ctx`], /^Cust12345$/i);
      assert.equal(contextIdentifier, claims[`${CLAIM}ctx`]);
      assert.equal(ticket, claims[`${CLAIM}ticket`]);
      assert.match(ticket, /^[\x20-\x7e]+$/);
    }, "JWT_INVALID");
    const message = error?.message ?? "";
    assert.ok(!message.includes(TICKET), "the ticket is told");
    assert.doesNotMatch(message, /: undefined$|\[object|native code/);
  };
  const times = fc.oneof(
    fc.integer({ min: -400, max: 400 }).map((seconds) => nowSeconds + seconds),
    fc.double(),
    fc.bigInt().map(String),
    fc.constantFrom(8.64e12, 8.64e12 + 1, "8640000000000", "9".repeat(400), -1, "1e3", "０"),
  );

  property(
    "text",
    fc.oneof(oddText, fc.array(oddText).map((parts) => parts.join("."))),
    assertRightOrRefused,
  );
  property("long text", repeatedText, (text) => assertRightOrRefused(written(text)), {
    share: 0.3,
  });
  property("a good one, changed", changed(goodJwt, oddText), assertRightOrRefused);
  property("signed claims", near(CLAIMS), (claims) => assertRightOrRefused(signed(claims)));
  property(
    "signed times",
    fc.record({ nbf: times, exp: times }),
    (times) => assertRightOrRefused(signed(JSON.stringify({ ...CLAIMS, ...times }))),
  );
  property("signed text", otherText, (text) => assertRightOrRefused(signed(text)));
  property(
    "signed headers",
    near({ ...HEADER, crit: ["b64"], b64: true, jwk: key.publicJwk, x5c: ["AAAA"] }),
    (header) => assertRightOrRefused(signed(JSON.stringify(CLAIMS), header)),
  );

  const keys = fc.array(
    near({ ...key.publicJwk, key_ops: ["verify"], ext: true, x5t: "AAAA", x5c: ["AAAA"] }),
    { maxLength: 3 },
  ).map((keys) => `{"keys":[${keys.join()}]}`);
  property("by other key sets", answers(keys), async (answered) => {
    await errorOf(() => readKeySet(answerOf(answered)), ...STATUS_CODES, "ANSWER_UNREADABLE");
    await errorOf(
      async () => {
        const keySet = createKeySet(LOGIN_URL, sender(answered), () => 0);
        assert.equal((await validateJwt(goodJwt, TENANT, keySet, NOW)).ticket, TICKET);
      },
      ...STATUS_CODES,
      "ANSWER_UNREADABLE",
      "JWT_INVALID",
    );
  });
});
