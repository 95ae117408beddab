import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { CUSTOMERS_HELP } from "../../src/program/customersCommandLine.ts";
import { HELP } from "../../src/program/commandLine.ts";
import { createSecrets } from "../../src/program/knownSecrets.ts";
import { createRedact } from "../../src/program/redact.ts";
import { inspectSettings } from "../../src/program/settings.ts";
import { secretsOf } from "../../src/program/variables.ts";
import { DeniedError } from "../../src/superoffice/errors.ts";

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
      "100%25 of AT&amp;T, \\u00e6 + c3VwZXJvZmZpY2UgaXMgbm8gc2VjcmV0",
    ]
  ) {
    test(text.slice(0, 40), () => assert.equal(redact.lines(text), text));
  }
});

describe("a password or client secret that is a word of the program's own", () => {
  const sentences = [
    HELP,
    CUSTOMERS_HELP,
    "password authentication failed for user «user». Check user name and password in DATABASE_URL.",
    inspectSettings({ DATABASE_URL: "mysql://x" }).faults.join("\n"),
    DeniedError.remedy,
    "Logged on to context Cust12345 as Anna",
    "Poll done in 12 ms: 3 logged on, 0 skipped, 0 failed",
  ];
  for (
    const word of ["password", "postgres", "secret", "user", "database", "host", "customer"]
      .concat("admin", "tenant", "token", "console", "system", "context", "pass", "logged")
  ) {
    test(`leaves the program's sentences whole: ${word}`, () => {
      const variables = {
        DATABASE_URL: `postgres://user:${word}@host/database`,
        SUPEROFFICE_CLIENT_SECRET: word,
      };
      const redact = createRedact(createSecrets(secretsOf(variables)));
      for (const sentence of sentences) assert.equal(redact.lines(sentence), sentence);
    });
  }

  for (
    const secret of ["hunter", "password1", "Password", "pass word", "passwords", "5432", "user:"]
      .concat("postgres-user", "drowssap", "PASSWORD", "secret ", "passwort")
  ) {
    test(`is no other that looks like one: «${secret}»`, () => {
      const redact = createRedact(createSecrets([secret]));
      assert.equal(redact(`it says «${secret}»`), "it says «[secret]»");
    });
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

describe("a secret is hidden in whatever form it stands:", () => {
  const token = "App & <Søn>-pzqc70604i";
  const redact = createRedact(createSecrets([token, "client+secret/c0ffee="]));
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const html = (text: string) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const hidden: Record<string, string> = {
    "a ticket in an address": "SOTicket%207T%3AabcDEF%2B123%3D%3D",
    "a ticket in an address in small letters": "7T%3aabc%2bdef",
    "a ticket in an address in an address": encodeURIComponent("x=7T%3AabcDEF"),
    "a ticket in HTML": "7T&#58;abc&#x2B;def",
    "a ticket in JSON": "7T\\u003Aabc",
    "a token in HTML": html(token),
    "a token in an address": encodeURIComponent(token),
    "a token in an address, the path's way": encodeURI(token),
    "a token in a form": new URLSearchParams({ token }).toString().slice("token=".length),
    "a token in JSON": JSON.stringify(token).replaceAll("&", "\\u0026").replaceAll("<", "\\u003c"),
    "a client secret in HTML": "client&#43;secret&#x2f;c0ffee&#61;",
    "a client secret in JSON": "client\\u002Bsecret\\/c0ffee=",
    "a header in Base64": base64("SOTicket 7T:abcDEF0123"),
    "a header in Base64 for addresses": Buffer.from(`x:${token}`).toString("base64url"),
    "a client secret in the middle of Base64": base64("a: client+secret/c0ffee=, b"),
    "a client secret in Base64 that another word touches": `a${base64("client+secret/c0ffee=")}`,
    "Base64 in JSON, as .NET writes it": base64("x:client+secret/c0ffee=>>>").replaceAll(
      "+",
      "\\u002B",
    ),
    "Base64 in an address": encodeURIComponent(base64("x:client+secret/c0ffee=>>>")),
    "a private key in an address": encodeURIComponent(
      "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
    ),
  };
  for (const [what, form] of Object.entries(hidden)) {
    test(what, () => {
      const safe = redact(`before «${form}» after`);
      assert.match(safe, /^before «.*\[secret\].*» after$/);
      assert.doesNotMatch(safe, /abc|pzqc|c0ffee|MIIB|Søn/);
      assert.ok(!safe.includes(form));
    });
  }
});

test("what moves the cursor, colours, breaks or reorders a line is written as its code", () => {
  const hostile =
    "a\r\n\tb\x1b]0;title\x07\x1b[31m\x9b2J\u0085\u202e\u2028\u2066\u200f\ud800\0\u{e0041}";
  const shown =
    "a\\r\\n\\tb\\u001b]0;title\\u0007\\u001b[31m\\u009b2J\\u0085\\u202e\\u2028\\u2066\\u200f\\ud800" +
    "\\u0000\\udb40\\udc41";
  assert.equal(redactForms(hostile), shown);
  assert.equal(redactForms.lines("a\u2028\nb\r\n"), "a\\u2028\nb\\r\n");
});

test("however many secrets there are, a text is searched once", () => {
  const secrets = createSecrets(
    Array.from({ length: 50_000 }, (_, index) => `App-${index}-${index * 7919}`),
  );
  let looks = 0;
  const text = new Proxy(Object("Logged on to context Cust1 as App-49999-395942081 and so on"), {
    get(target, name) {
      if (name === "startsWith") looks++;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  assert.deepEqual(secrets.findIn(text as string), ["App-49999-395942081"]);
  assert.ok(looks < 5000, `${looks} secrets were compared`);
});

test("of a text of megabytes the beginning is shown, at once, and no secret", () => {
  const redact = createRedact(createSecrets(["client-secret-c0ffee"]));
  const text = `it says ${"\\u005cu005cu0037T:abc client-secret-c0ffee ".repeat(100_000)}`;
  const safe = redact(text);
  assert.ok(safe.length <= 30_000, `${safe.length} letters`);
  assert.doesNotMatch(safe, /c0ffee/);
});
