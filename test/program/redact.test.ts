import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { createRedact, createSecrets } from "../../src/program/redact.ts";

const read = (path: string) =>
  readFile(new URL(`../../fixtures/keys/${path}`, import.meta.url), "utf8");
const redactForms = createRedact(createSecrets());

describe("what has the form of a credential is hidden:", () => {
  const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJTdXBlck9mZmljZSJ9.c2ln-bmF0_dXJl";
  for (
    const [what, text, expected] of [
      ["a ticket", "ticket 7T:abcDEF0123+/== was used", "ticket [secret] was used"],
      ["a ticket in a header", "SOTicket 7T:abc/DEF", "SOTicket [secret]"],
      ["a ticket in JSON", '{"ticket":"7T:abc+DEF=="}', '{"ticket":"[secret]"}'],
      ["a ticket in a list", "7T:abc, 7T:def; <7T:ghi>", "[secret], [secret]; <[secret]>"],
      ["a JWT", `Token ${JWT}.`, "Token [secret]"],
      ["a JWT in JSON", `{"Token":"${JWT}","x":1}`, '{"Token":"[secret]","x":1}'],
      ["a cut-off JWT", JWT.slice(0, 30), "[secret]"],
    ] as const
  ) {
    test(what, () => assert.equal(redactForms(text), expected));
  }

  test("the minute and the signature of a signed system token", async () => {
    const [{ signedSystemToken }] = JSON.parse(await read("app-key.signed.json")).cases;
    assert.equal(redactForms(`<${signedSystemToken}>`), "<My App-pzqc70604i[secret]>");
  });

  test("a signed system token with the slashes of its signature escaped", async () => {
    const [{ signedSystemToken }] = JSON.parse(await read("app-key.signed.json")).cases;
    const escaped = signedSystemToken.replaceAll("/", "\\/");
    assert.equal(redactForms(`"${escaped}"`), '"My App-pzqc70604i[secret]"');
  });

  for (const form of ["pkcs1.pem", "pkcs8.pem"]) {
    for (const breaks of ["\n", "\\n", "\r\n", " "]) {
      test(`a private key as ${form} with line breaks as ${JSON.stringify(breaks)}`, async () => {
        const pem = (await read(`app-key.${form}`)).trim().replaceAll("\n", breaks);
        assert.equal(redactForms(`before ${pem} after`), "before [secret] after");
      });
    }
  }

  test("a private key that was cut off", async () => {
    const pem = await read("app-key.pkcs8.pem");
    assert.equal(redactForms(`before ${pem.slice(0, 500)}`), "before [secret]");
  });

  test("the private numbers of a key as XML", async () => {
    const xml = await read("app-key.xml");
    const safe = redactForms(xml);
    for (const name of ["D", "P", "Q", "DP", "DQ", "InverseQ"]) {
      const value = xml.match(new RegExp(`<${name}>([^<]+)`))?.[1];
      assert.ok(value !== undefined && !safe.includes(value), `${name} is not hidden`);
    }
  });
});

describe("a known secret is hidden", () => {
  const secret = 'pass "word"\\ äö/+&=?-#1';
  const redact = createRedact(createSecrets([secret]));
  for (
    const [how, form] of [
      ["as it is", secret],
      ["in JSON", JSON.stringify(secret).slice(1, -1)],
      ["in an address", encodeURIComponent(secret)],
    ] as const
  ) {
    test(how, () => {
      assert.equal(redact(`a ${form} b ${form} c`), "a [secret] b [secret] c");
    });
  }

  test("wherever several of them stand", () => {
    const redact = createRedact(createSecrets(["client-secret-1", "App-token-2"]));
    assert.equal(redact("App-token-2/client-secret-1"), "[secret]/[secret]");
  });

  test("although it holds characters that are special in patterns", () => {
    const redact = createRedact(createSecrets(["a.c*($&)", "$1$&"]));
    assert.equal(redact("abc a.c*($&) $1$&"), "abc [secret] [secret]");
  });

  test("from when it becomes known until it is forgotten", () => {
    const secrets = createSecrets();
    const redact = createRedact(secrets);
    assert.equal(redact("App-token-2"), "App-token-2");
    secrets.add("App-token-2");
    assert.equal(redact("App-token-2"), "[secret]");
    secrets.delete("App-token-2");
    assert.equal(redact("App-token-2"), "App-token-2");
  });
});

describe("ordinary text stays as it is", () => {
  const redact = createRedact(createSecrets(["", "a", "abc", "client-secret"]));
  for (
    const text of [
      "an abc of a client",
      "Logged on to context Cust12345 as Bjørn",
      "2026-01-02T03:04:05.123Z INFO    Poll done in 12 ms",
      "https://online3.superoffice.com/Cust12345/api/v1/User/currentPrincipal",
      "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
      "<RSAKeyValue><Modulus>AQAB</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>",
      "at 7:30, 17T:x, eyJ, 202601020304",
    ]
  ) {
    test(text.slice(0, 40), () => assert.equal(redact(text), text));
  }
});

test("a secret that begins with another secret is hidden whole", () => {
  const redact = createRedact(createSecrets(["super", "super-client-secret"]));
  assert.equal(redact("it is super-client-secret"), "it is [secret]");
});

test("a secret that two have in common stays hidden until both are done with it", () => {
  const secrets = createSecrets();
  const redact = createRedact(secrets);
  secrets.add("client-secret");
  secrets.add("client-secret");
  secrets.delete("client-secret");
  assert.equal(redact("client-secret"), "[secret]");
  secrets.delete("client-secret");
  assert.equal(redact("client-secret"), "client-secret");
});
