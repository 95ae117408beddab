import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { importPrivateKey } from "../../src/superoffice/privateKey.ts";
import { createSigner, signToken } from "../../src/superoffice/signToken.ts";

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

interface KnownAnswer {
  systemUserToken: string;
  at: string;
  signedSystemToken: string;
}
const { cases }: { cases: KnownAnswer[] } = JSON.parse(
  await read("fixtures/keys/app-key.signed.json"),
);

describe("signToken", () => {
  for (const form of ["xml", "pkcs1.pem", "pkcs8.pem"]) {
    for (const { systemUserToken, at, signedSystemToken } of cases) {
      test(`signs at ${at} with the key as ${form} what openssl signs, byte for byte`, async () => {
        const sign = createSigner(
          await importPrivateKey(await read(`fixtures/keys/app-key.${form}`)),
        );
        assert.equal(await signToken(systemUserToken, sign, new Date(at)), signedSystemToken);
      });
    }
  }

  for (
    const token of [
      "App v1.2.3-pzqc70604i",
      " App  with spaces -pzqc70604i",
      "Ærlig Företag Приложение 株式会社-pzqc70604i",
      "App.201511111342.x-pzqc70604i",
    ]
  ) {
    test(`the token «${token}» is signed as its UTF-8 bytes`, async () => {
      const sign = createSigner(
        await importPrivateKey(await read("fixtures/keys/app-key.pkcs8.pem")),
      );
      const signed = await signToken(token, sign, new Date("2026-01-02T03:04:05Z"));
      const lastDot = signed.lastIndexOf(".");
      assert.equal(signed.slice(0, lastDot), `${token}.202601020304`);
      const signature = Buffer.from(signed.slice(lastDot + 1), "base64");
      const publicKey = await read("fixtures/keys/app-key.pub.pem");
      assert.ok(verify("sha256", Buffer.from(`${token}.202601020304`), publicKey, signature));
    });
  }

  test("any function can sign; its bytes are written in standard Base64 with padding", async () => {
    const asked: string[] = [];
    const signed = await signToken(
      "My App-pzqc70604i",
      (data) => {
        asked.push(new TextDecoder().decode(data));
        return Promise.resolve(new Uint8Array([0xfb, 0xff, 0xfe, 0xff]));
      },
      new Date("2026-12-31T23:59:59.999Z"),
    );
    assert.deepEqual(asked, ["My App-pzqc70604i.202612312359"]);
    assert.equal(signed, "My App-pzqc70604i.202612312359.+//+/w==");
  });

  test("the minute is UTC whatever offset the time was written with", async () => {
    const at = new Date("2026-03-01T00:30:00+05:45");
    const signed = await signToken("App-x", () => Promise.resolve(new Uint8Array()), at);
    assert.equal(signed, "App-x.202602281845.");
  });

  test("what the signer throws is passed on", async () => {
    const vaultDown = new Error("the vault is down");
    await assert.rejects(
      signToken("App-x", () => Promise.reject(vaultDown), new Date()),
      (error) => error === vaultDown,
    );
  });

  test("the file imports nothing, so that it can be copied", async () => {
    const source = (await read("src/superoffice/signToken.ts")).replace(/\/\*.*?\*\/|\/\/.*/gs, "");
    assert.match(source, /export async function signToken/);
    assert.doesNotMatch(source, /\bimport\b|\brequire\b|\bfrom\s*["']/);
  });
});
