import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { PrivateKeyError } from "../../src/superoffice/errors.ts";
import { importPrivateKey } from "../../src/superoffice/privateKey.ts";
import { createSigner, signToken } from "../../src/superoffice/signToken.ts";

const read = (name: string) =>
  readFile(new URL(`../../fixtures/keys/app-key.${name}`, import.meta.url), "utf8");

const [xml, pkcs1, pkcs8, spki] = await Promise.all(
  ["xml", "pkcs1.pem", "pkcs8.pem", "pub.pem"].map(read),
) as [string, string, string, string];
const [known] = JSON.parse(await read("signed.json")).cases;

const element = /<(\w+)>([A-Za-z0-9+/=]+)<\/\1>/g;
const eachElement = (change: (name: string, base64: string) => string) =>
  xml.replace(element, (_, name, base64) => change(name, base64));
const wrapped = (base64: string) => base64.replace(/.{64}/g, "$&\r\n    ");
const withoutElements = (...names: string[]) =>
  eachElement((name, base64) => names.includes(name) ? "" : `<${name}>${base64}</${name}>`);
const padded = (base64: string, zeros: number) =>
  Buffer.concat([Buffer.alloc(zeros), Buffer.from(base64, "base64")]).toString("base64");
const body = (pem: string) => pem.replace(/-----[^-]+-----/g, "").trim();
const pem = (label: string, content: string) =>
  `-----BEGIN ${label}-----\n${content}\n-----END ${label}-----\n`;
const asOneLine = (text: string) => text.trim().replaceAll("\n", "\\n");

describe("importPrivateKey accepts", () => {
  const accepted: Record<string, string> = {
    "XML": xml,
    "PKCS#1 PEM": pkcs1,
    "PKCS#8 PEM": pkcs8,
    "XML behind a byte order mark": `\uFEFF${xml}`,
    "PEM behind a byte order mark": `\uFEFF${pkcs1}`,
    "XML behind a declaration": `<?xml version="1.0" encoding="utf-8"?>\r\n${xml}`,
    "XML behind a byte order mark and a declaration": `\uFEFF<?xml version="1.0"?>${xml}`,
    "indented XML": eachElement((name, base64) => `\n  <${name}>${base64}</${name}>`),
    "XML with line-wrapped base64": eachElement((name, base64) =>
      `<${name}>\r\n    ${wrapped(base64)}\r\n  </${name}>`
    ),
    "XML with line breaks written as \\n": asOneLine(
      eachElement((name, base64) => `\n<${name}>${base64.replace(/.{64}/g, "$&\n")}</${name}>`),
    ),
    "XML whose numbers are padded with one zero byte": eachElement((name, base64) =>
      `<${name}>${padded(base64, 1)}</${name}>`
    ),
    "XML whose numbers are padded with many zero bytes": eachElement((name, base64) =>
      `<${name}>${padded(base64, 32)}</${name}>`
    ),
    "XML in quotes": `"${xml.trim()}"`,
    "PEM with CRLF line breaks": pkcs1.replaceAll("\n", "\r\n"),
    "PEM with line breaks written as \\n": asOneLine(pkcs8),
    "PEM with line breaks written as \\r\\n": pkcs8.replaceAll("\n", "\\r\\n"),
    "PEM in double quotes, with line breaks written as \\n": `"${asOneLine(pkcs1)}\\n"`,
    "PEM in single quotes": `'${pkcs8}'`,
    "PEM whose line breaks became spaces": pkcs1.replaceAll("\n", " "),
    "PEM all in one line": pkcs8.replaceAll("\n", ""),
    "indented PEM": pkcs8.replace(/^/gm, "    "),
    "PEM behind a certificate and bag attributes": `Bag Attributes\n    friendlyName: my app\n${
      pem("CERTIFICATE", "MIIB")
    }${pkcs8}`,
  };
  for (const [what, text] of Object.entries(accepted)) {
    test(what, async () => {
      const sign = createSigner(await importPrivateKey(text));
      const signed = await signToken(known.systemUserToken, sign, new Date(known.at));
      assert.ok(signed === known.signedSystemToken, "the signature is another one");
    });
  }

  test("a key for signing alone, that cannot be read out again", async () => {
    const key = await importPrivateKey(pkcs8);
    assert.equal(key.extractable, false);
    assert.deepEqual(key.usages, ["sign"]);
    await assert.rejects(crypto.subtle.exportKey("pkcs8", key));
  });
});

describe("importPrivateKey refuses", () => {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const sec1 = String(ec.export({ type: "sec1", format: "pem" }));
  const ed25519 = generateKeyPairSync("ed25519").privateKey;
  const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const otherModulus = Buffer.from(String(other.publicKey.export({ format: "jwk" }).n), "base64url")
    .toString("base64");

  const RSA_CHECK = /openssl rsa -in private\.pem -check -noout/;
  const NEW_KEY = /openssl genrsa .*openssl rsa -in private\.pem -pubout/;
  const DECRYPT = /openssl rsa -in encrypted\.pem -out private\.pem/;
  const DAMAGED = /damaged or only half there/;
  const refused: Record<string, { text: string; found: RegExp; remedy: RegExp }> = {
    "a public key in PEM": {
      text: spki,
      found: /public half \(BEGIN PUBLIC KEY\)/,
      remedy: RSA_CHECK,
    },
    "a PKCS#1 public key": {
      text: pem("RSA PUBLIC KEY", body(spki)),
      found: /public half \(BEGIN RSA PUBLIC KEY\)/,
      remedy: RSA_CHECK,
    },
    "a certificate": {
      text: pem("CERTIFICATE", body(spki)),
      found: /public half \(BEGIN CERTIFICATE\)/,
      remedy: RSA_CHECK,
    },
    "the public half in XML": {
      text: withoutElements("P", "Q", "DP", "DQ", "InverseQ", "D"),
      found: /public half .*RSAKeyValue with Modulus and Exponent alone/,
      remedy: RSA_CHECK,
    },
    "an encrypted PKCS#8 key": {
      text: pem("ENCRYPTED PRIVATE KEY", body(pkcs8)),
      found: /encrypted with a passphrase/,
      remedy: DECRYPT,
    },
    "an encrypted PKCS#1 key": {
      text: pem(
        "RSA PRIVATE KEY",
        `Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0123456789ABCDEF\n\n${body(pkcs1)}`,
      ),
      found: /encrypted with a passphrase/,
      remedy: DECRYPT,
    },
    "an elliptic-curve key in SEC1": { text: sec1, found: /elliptic-curve key/, remedy: NEW_KEY },
    "an elliptic-curve key behind its parameters": {
      text: pem("EC PARAMETERS", "BggqhkjOPQMBBw==") + sec1,
      found: /elliptic-curve key/,
      remedy: NEW_KEY,
    },
    "an elliptic-curve key in PKCS#8": {
      text: String(ec.export({ type: "pkcs8", format: "pem" })),
      found: /elliptic-curve key/,
      remedy: NEW_KEY,
    },
    "an ed25519 key": {
      text: String(ed25519.export({ type: "pkcs8", format: "pem" })),
      found: /ed25519/,
      remedy: NEW_KEY,
    },
    "PEM without its end line": {
      text: pkcs1.slice(0, pkcs1.indexOf("-----END")),
      found: DAMAGED,
      remedy: RSA_CHECK,
    },
    "PEM with lines missing in the middle": {
      text: pkcs8.split("\n").toSpliced(8, 4).join("\n"),
      found: DAMAGED,
      remedy: RSA_CHECK,
    },
    "PEM with nothing between its lines": {
      text: pem("PRIVATE KEY", ""),
      found: DAMAGED,
      remedy: RSA_CHECK,
    },
    "XML without InverseQ": {
      text: withoutElements("InverseQ"),
      found: /RSAKeyValue without InverseQ$/,
      remedy: /Copy the whole XML/,
    },
    "XML without several parts": {
      text: withoutElements("D", "P"),
      found: /RSAKeyValue without D, P$/,
      remedy: /Copy the whole XML/,
    },
    "XML that was cut off": {
      text: xml.slice(0, xml.indexOf("<DP>") + 40),
      found: /RSAKeyValue without D, DP, DQ, InverseQ$/,
      remedy: /Copy the whole XML/,
    },
    "XML whose numbers do not belong together": {
      text: eachElement((name, base64) =>
        `<${name}>${name === "Modulus" ? otherModulus : base64}</${name}>`
      ),
      found: DAMAGED,
      remedy: RSA_CHECK,
    },
    "XML of another kind": {
      text: "<DSAKeyValue><G>AQAB</G></DSAKeyValue>",
      found: /XML, but not an RSAKeyValue/,
      remedy: RSA_CHECK,
    },
    "a key in OpenSSH's form": {
      text: pem("OPENSSH PRIVATE KEY", body(pkcs8)),
      found: /OpenSSH's own form/,
      remedy: /ssh-keygen -p -m PEM/,
    },
    "an absolute path": {
      text: "/etc/superoffice/private.pem",
      found: /a file's path/,
      remedy: /what the file holds/,
    },
    "a relative path": {
      text: "./private.xml",
      found: /a file's path/,
      remedy: /what the file holds/,
    },
    "a Windows path": {
      text: "C:\\keys\\new.pem",
      found: /a file's path/,
      remedy: /what the file holds/,
    },
    "a file name": {
      text: "private.key",
      found: /a file's path/,
      remedy: /what the file holds/,
    },
    "a file name in quotes": {
      text: '"private.key"',
      found: /a file's path/,
      remedy: /what the file holds/,
    },
    "base64 without its PEM lines": {
      text: body(pkcs8),
      found: /neither RSAKeyValue XML nor PEM/,
      remedy: /openssl pkcs12 .*openssl rsa -inform DER/,
    },
    "rubbish": {
      text: "correct horse battery staple",
      found: /neither RSAKeyValue XML nor PEM/,
      remedy: /openssl pkcs12 .*openssl rsa -inform DER/,
    },
    "nothing": { text: "", found: /neither RSAKeyValue XML nor PEM/, remedy: /openssl/ },
  };

  for (const [what, { text, found, remedy }] of Object.entries(refused)) {
    test(`${what}, with what it found and how to mend it`, async () => {
      const error: unknown = await importPrivateKey(text).then(
        () => assert.fail("the key was taken"),
        (error) => error,
      );
      assert.ok(error instanceof PrivateKeyError);
      assert.equal(error.code, "PRIVATE_KEY_WRONG");
      assert.match(error.message, found);
      assert.match(error.remedy, remedy);
      const said = `${error.message} ${error.remedy}`;
      assert.ok(!runsOfBase64(text).some((run) => said.includes(run)), "it tells part of the key");
    });
  }
});

/** Every 20 characters in a row of what a key's text holds in base64. */
function runsOfBase64(text: string): string[] {
  const base64 = text.replace(/-----[^-]+-----|<[^>]*>/g, "|").replace(/\s/g, "");
  return Array.from(
    { length: Math.max(0, base64.length - 19) },
    (_, start) => base64.slice(start, start + 20),
  );
}
