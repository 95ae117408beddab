import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { createLocalJWKSet } from "jose";
import { createJwt, createSigningKey } from "../../fixtures/jwts.ts";
import { type Misbehaviour, type Place, startStandIn } from "../../fixtures/standIn.ts";
import {
  DeniedError,
  ExchangeRefusedError,
  ExpiredError,
  InvalidRedirectUrlError,
  InvalidSignatureError,
  InvalidTimestampError,
  NeedsReapprovalError,
  RevokedError,
} from "../../src/superoffice/errors.ts";
import type { HttpRequest, Send } from "../../src/superoffice/http.ts";
import { exchange } from "../../src/superoffice/exchange.ts";
import { sendByFetch } from "../../src/superoffice/sendByFetch.ts";
import type { Application } from "../../src/superoffice/tenant.ts";
import { createKeySet, type KeySet } from "../../src/superoffice/keySet.ts";
import { importPrivateKey } from "../../src/superoffice/privateKey.ts";
import { createSigner, signToken } from "../../src/superoffice/signToken.ts";

const read = (path: string) =>
  readFile(new URL(`../../fixtures/keys/${path}`, import.meta.url), "utf8");

const NOW = new Date("2026-01-02T03:04:05Z");
const TOKEN = "My Äpp 1.0-pzqc70604i";
const sign = createSigner(await importPrivateKey(await read("app-key.xml")));
const standIn = await startStandIn({
  applicationPublicKey: await read("app-key.pub.pem"),
  clientSecret: "client-secret",
  tenants: [
    { contextIdentifier: "Cust12345", systemUserToken: TOKEN, associate: "Anna" },
    { contextIdentifier: "Cust20000", systemUserToken: "x-1", associate: "Bo", revoked: true },
  ],
  now: () => NOW.getTime(),
});
const application: Application = { loginUrl: standIn.loginUrl, clientSecret: "client-secret" };
const host = new URL(standIn.loginUrl).host.replaceAll(".", "\\.");

const signingKey = await createSigningKey();

let keySet: KeySet;
let exchanges: () => number;
let endTrouble: () => void;

beforeEach(() => {
  keySet = createKeySet(standIn.loginUrl, sendByFetch, () => 0);
  endTrouble = () => {};
  const before = standIn.counts.exchange;
  exchanges = () => standIn.counts.exchange - before;
});
afterEach(() => endTrouble());
after(() => standIn.close());

function misbehave(at: Place, how: Misbehaviour): void {
  endTrouble = standIn.misbehave({ at, how });
}

interface Given {
  contextIdentifier?: string;
  systemUserToken?: string;
  signer?: typeof sign;
  signedAt?: Date;
  clientSecret?: string;
  now?: Date;
}

async function exchangeToken(given: Given = {}): Promise<string> {
  const { contextIdentifier = "Cust12345", systemUserToken = TOKEN, signer = sign } = given;
  const { signedAt = NOW, clientSecret = application.clientSecret, now = NOW } = given;
  return await exchange(
    contextIdentifier,
    await signToken(systemUserToken, signer, signedAt),
    { ...application, clientSecret },
    keySet,
    () => now,
    sendByFetch,
  );
}

describe("the exchange gives the ticket", () => {
  test("for a token that was signed with the application's key", async () => {
    assert.match(await exchangeToken(), /^7T:.{20,}$/);
    assert.equal(exchanges(), 1);
  });

  test("for a request in JSON that holds what SuperOffice asks for", async () => {
    const requests: HttpRequest[] = [];
    const noting: Send = (request) => {
      requests.push(request);
      return sendByFetch(request);
    };
    const signed = await signToken(TOKEN, sign, NOW);
    await exchange("Cust12345", signed, application, keySet, () => NOW, noting);
    assert.equal(requests.length, 1);
    const { method, headers, body } = requests[0]!;
    assert.equal(method, "POST");
    assert.equal(new Headers(headers).get("content-type"), "application/json");
    assert.deepEqual(JSON.parse(String(body)), {
      SignedSystemToken: signed,
      ApplicationToken: "client-secret",
      ContextIdentifier: "Cust12345",
      ReturnTokenType: "JWT",
    });
  });

  test("for a context identifier in another case", async () => {
    assert.match(await exchangeToken({ contextIdentifier: "cust12345" }), /^7T:/);
  });

  test("by the keys as they were when it was asked for, though they are others since", async () => {
    const old = createLocalJWKSet({ keys: [signingKey.publicJwk] });
    const others = createLocalJWKSet({ keys: [(await createSigningKey()).publicJwk] });
    let known = old;
    const rotating: KeySet = {
      get: () => Promise.resolve(known),
      renew: () => Promise.resolve(others),
    };
    const subject = {
      contextIdentifier: "Cust12345",
      serial: "1",
      companyName: "Company",
      associateId: 7,
      ticket: "7T:old",
      webApiUrl: "",
    };
    const style = { namesKey: true, timesAsText: false };
    const Token = await createJwt(subject, signingKey, NOW.getTime(), style);
    const send: Send = ({ purpose }) => {
      known = others;
      const bytes = new TextEncoder().encode(JSON.stringify({ IsSuccessful: true, Token }));
      return Promise.resolve({ purpose, host: "host", status: 200, headers: {}, bytes });
    };
    const ticket = await exchange("Cust12345", "signed", application, rotating, () => NOW, send);
    assert.equal(ticket, "7T:old");
  });

  test("after SuperOffice's keys rotated", async () => {
    await exchangeToken();
    await standIn.rotateKeys();
    assert.match(await exchangeToken(), /^7T:/);
    assert.equal(exchanges(), 2);
  });
});

describe("a refusal is told apart by the name that its message carries:", () => {
  const refusals = [
    [RevokedError, "TOKEN_REVOKED", [
      "Revoked",
      "Revoked: the token was revoked",
      "System user token has been REVOKED.",
    ]],
    [InvalidRedirectUrlError, "REDIRECT_URL_INVALID", [
      "InvalidRedirectUrl",
      "Invalid redirect URL",
      "invalid_redirect_url (2)",
    ]],
    [ExpiredError, "APPROVAL_EXPIRED", ["Expired", "3 - expired!", "The approval has expired"]],
    [DeniedError, "ACCESS_DENIED", ["Denied", "Access denied.", "ErrorType=Denied;Code=4"]],
    [NeedsReapprovalError, "NEEDS_REAPPROVAL", [
      "NeedsReapproval",
      "Needs re-approval",
      "the application needs reapproval by an administrator",
    ]],
    [InvalidTimestampError, "TIMESTAMP_INVALID", [
      "InvalidTimestamp",
      "Invalid timestamp: the token has expired",
      "INVALID_TIME_STAMP",
    ]],
    [InvalidSignatureError, "SIGNATURE_INVALID", [
      "InvalidSignature",
      "invalid signature",
      "Access denied: Invalid-Signature",
    ]],
  ] as const;
  for (const [Refusal, code, wordings] of refusals) {
    for (const wording of wordings) {
      test(`«${wording}» is ${code}`, async () => {
        misbehave("exchange", { refuse: wording });
        await assert.rejects(exchangeToken(), (error) => {
          assert.ok(error instanceof Refusal && error instanceof ExchangeRefusedError);
          assert.equal(error.code, code);
          assert.equal(error.message, `The exchange was refused: ${wording}`);
          return true;
        });
      });
    }
  }

  test("a wrong timestamp names the clock as the likely cause, and SuperOffice's time", async () => {
    misbehave("exchange", { refuse: "InvalidTimestamp" });
    await assert.rejects(exchangeToken(), {
      remedy: /clock is the likely cause/,
      serverTime: NOW,
    });
  });

  test("another wording is EXCHANGE_REFUSED, with the reason given", async () => {
    misbehave("exchange", { refuse: "Der Mandant ist gesperrt" });
    await assert.rejects(exchangeToken(), {
      code: "EXCHANGE_REFUSED",
      message: "The exchange was refused: Der Mandant ist gesperrt",
    });
  });

  test("a long reason is cut between words, so that no part of a secret is left", async () => {
    misbehave("exchange", { refuse: `too long ${"x".repeat(5000)}` });
    await assert.rejects(exchangeToken(), { message: /: too long …$/ });
  });

  const answers: Record<string, unknown> = {
    "a refusal without a message": { IsSuccessful: false },
    "a refusal with an empty message": { IsSuccessful: false, Token: null, ErrorMessage: "" },
    "a success without a token": { IsSuccessful: true, Token: null, ErrorMessage: null },
    "a success with an empty token": { IsSuccessful: true, Token: "" },
  };
  for (const [what, answer] of Object.entries(answers)) {
    test(`${what} is EXCHANGE_REFUSED`, async () => {
      misbehave("exchange", { status: 200, body: JSON.stringify(answer) });
      await assert.rejects(exchangeToken(), {
        code: "EXCHANGE_REFUSED",
        message: "The exchange was refused: no reason was given",
      });
    });
  }
});

describe("the exchange is refused", () => {
  test("when the client secret is wrong", async () => {
    await assert.rejects(exchangeToken({ clientSecret: "another" }), DeniedError);
  });

  test("when the system user token is another customer's", async () => {
    await assert.rejects(exchangeToken({ systemUserToken: "x-1" }), DeniedError);
  });

  test("when another key signed", async () => {
    const { privateKey } = await crypto.subtle.generateKey(
      {
        name: "RSASSA-PKCS1-v1_5",
        hash: "SHA-256",
        modulusLength: 2048,
        publicExponent: new Uint8Array([1, 0, 1]),
      },
      false,
      ["sign", "verify"],
    );
    await assert.rejects(
      exchangeToken({ signer: createSigner(privateKey) }),
      InvalidSignatureError,
    );
  });

  test("when the clock is an hour off", async () => {
    const signedAt = new Date(NOW.getTime() - 3600_000);
    await assert.rejects(exchangeToken({ signedAt }), InvalidTimestampError);
  });

  test("when the customer withdrew its approval", async () => {
    await assert.rejects(
      exchangeToken({ contextIdentifier: "Cust20000", systemUserToken: "x-1" }),
      RevokedError,
    );
  });
});

describe("the exchange fails", () => {
  const troubles: [string, Misbehaviour, string, string][] = [
    ["an error's status", { status: 500 }, "SERVICE_BUSY", "status 500"],
    ["a redirect", { status: 302, headers: { "Location": "/" } }, "REDIRECT_REFUSED", "302"],
    ["a busy status", { status: 429 }, "SERVICE_BUSY", "status 429"],
    ["another status", { status: 400 }, "UNEXPECTED_STATUS", "status 400"],
    ["a page that is not JSON", "notJson", "ANSWER_UNREADABLE", "Scheduled maintenance"],
    ["JSON of another form", "wrongShape", "ANSWER_UNREADABLE", "IsSuccessful"],
    ["an answer without end", "hugeBody", "ANSWER_UNREADABLE", "more than"],
    ["an answer that is cut", "cutBody", "NETWORK_FAILED", "could not be reached"],
    ["a reset connection", "reset", "NETWORK_FAILED", "could not be reached"],
  ];
  for (const [what, how, code, words] of troubles) {
    test(`with ${code} at ${what}, naming host and step`, async () => {
      misbehave("exchange", how);
      await assert.rejects(exchangeToken(), (error) => {
        assert.ok(error instanceof Error && "code" in error);
        assert.equal(error.code, code);
        assert.match(
          error.message,
          new RegExp(`^${host} .*the exchange.*${words}|${words}.*the exchange`),
        );
        return true;
      });
    });
  }

  test("when its JWT does not pass the validation", async () => {
    misbehave("exchange", { forge: "otherTenant" });
    await assert.rejects(exchangeToken(), { code: "JWT_INVALID", message: /Cust99999/ });
  });

  test("when this machine's clock says that the JWT has expired", async () => {
    const now = new Date(NOW.getTime() + 3600_000);
    await assert.rejects(exchangeToken({ now }), { code: "JWT_INVALID", message: /it expired at/ });
  });

  for (const how of ["reset", "notJson", { status: 503 }] as const) {
    test(`before it is made when the key set answers ${JSON.stringify(how)}`, async () => {
      misbehave("keys", how);
      await assert.rejects(exchangeToken(), { message: /reading the key set/ });
      assert.equal(exchanges(), 0);
    });
  }
});
