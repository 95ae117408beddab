import assert from "node:assert/strict";
import { test } from "node:test";
import { askForApproval, readLoginHost, redeem } from "../../src/approve/flow.ts";
import type { HttpRequest, Send } from "../../src/superoffice/http.ts";

const LOGIN_URL = "https://sod.superoffice.com";
const METADATA = {
  issuer: LOGIN_URL,
  authorization_endpoint: `${LOGIN_URL}/login/common/oauth/authorize`,
  token_endpoint: `${LOGIN_URL}/login/common/oauth/tokens`,
};

const CLIENT = {
  loginUrl: LOGIN_URL,
  clientId: "our-client",
  clientSecret: "our-secret",
  redirectUrl: "http://127.0.0.1:3300",
};

/** What comes for a code, with secrets of made-up form in it. */
const TOKENS = JSON.stringify({
  token_type: "Bearer",
  access_token: "8A:Cust12345.AbCd",
  refresh_token: "AbCdEf",
  id_token: "eyJhbGciOi.eyJzeXN0ZW0.c2ln",
});

function answering(body: unknown, status = 200) {
  return answeringText(JSON.stringify(body), status);
}

function answeringText(text: string, status: number): { send: Send; asked: HttpRequest[] } {
  const asked: HttpRequest[] = [];
  return {
    asked,
    send(request) {
      asked.push(request);
      const bytes = new TextEncoder().encode(text);
      const headers = { "content-type": "application/json" };
      const { purpose } = request;
      return Promise.resolve({ purpose, host: "sod.superoffice.com", status, headers, bytes });
    },
  };
}

test("the login host is asked below /login, and judged by its own name", async () => {
  const { send, asked } = answering(METADATA);
  await readLoginHost(LOGIN_URL, send);
  assert.equal(asked[0]!.url, `${LOGIN_URL}/login/.well-known/openid-configuration`);
});

for (
  const [what, changes, code] of [
    ["another issuer", { issuer: "https://online.superoffice.com" }, "ANSWER_UNREADABLE"],
    ["no issuer", { issuer: undefined }, "ANSWER_UNREADABLE"],
    ["tokens elsewhere", { token_endpoint: "https://evil.example/" }, "HOST_UNTRUSTED"],
    [
      "tokens without https",
      { token_endpoint: "http://sod.superoffice.com/tokens" },
      "HOST_UNTRUSTED",
    ],
    ["a sign-in elsewhere", { authorization_endpoint: "javascript:1" }, "HOST_UNTRUSTED"],
    ["no sign-in", { authorization_endpoint: undefined }, "HOST_UNTRUSTED"],
  ] as const
) {
  test(`a login host that names ${what} is refused`, async () => {
    const { send } = answering({ ...METADATA, ...changes });
    await assert.rejects(readLoginHost(LOGIN_URL, send), { code });
  });
}

test("a login host that answers with another status is named by it", async () => {
  const { send } = answering({}, 503);
  await assert.rejects(readLoginHost(LOGIN_URL, send), { code: "SERVICE_BUSY" });
});

test("each request for approval has state, nonce and PKCE of its own", async () => {
  const { send } = answering(METADATA);
  const loginHost = await readLoginHost(LOGIN_URL, send);
  const [one, two] = await Promise.all([
    askForApproval(loginHost, CLIENT),
    askForApproval(loginHost, CLIENT, "Cust12345"),
  ]);
  for (const name of ["state", "nonce", "verifier"] as const) {
    assert.notEqual(one[name], two[name]);
    assert.ok(one[name].length >= 43);
  }
  const query = new URL(one.address).searchParams;
  assert.equal(query.get("redirect_uri"), "http://127.0.0.1:3300");
  assert.equal(query.get("scope"), "openid");
  assert.equal(query.get("state"), one.state);
  assert.equal(query.get("nonce"), one.nonce);
  assert.ok(!one.address.includes(one.verifier));
  assert.equal(query.has("acr_values"), false);
  assert.equal(new URL(two.address).searchParams.get("acr_values"), "tenant:Cust12345");
});

test("an answer with two codes is refused, nothing is asked, and words that come as codes are no secrets", async () => {
  const { send, asked } = answering(METADATA);
  const loginHost = await readLoginHost(LOGIN_URL, send);
  const own = await askForApproval(loginHost, CLIENT);
  const answered = new URLSearchParams([["state", own.state], ["code", "Logged"], ["code", "on"]]);
  const known: string[] = [];
  const secrets = { add: (secret: string) => void known.push(secret), delete: () => {} };
  await assert.rejects(redeem(answered, own, loginHost, CLIENT, send, secrets), {
    code: "APPROVAL_REFUSED",
  });
  assert.deepEqual(known, [own.verifier]);
  assert.equal(asked.length, 1);
});

test("a code is a secret from the moment it is redeemed, unless it could be a word or a sentence", async () => {
  const { send } = answering(METADATA);
  const loginHost = await readLoginHost(LOGIN_URL, send);
  const own = await askForApproval(loginHost, CLIENT);
  for (
    const [code, isSecret] of [
      ["x".repeat(15), false],
      ["the console logs on to it", false],
      ["x".repeat(16), true],
    ] as const
  ) {
    const known: string[] = [];
    const secrets = { add: (secret: string) => void known.push(secret), delete: () => {} };
    const answered = new URLSearchParams({ state: own.state, code });
    const tokens = answeringText(TOKENS, 200);
    assert.equal(
      await redeem(answered, own, loginHost, CLIENT, tokens.send, secrets),
      "eyJhbGciOi.eyJzeXN0ZW0.c2ln",
    );
    assert.equal(known.includes(code), isSecret);
    assert.ok(known.includes("eyJhbGciOi.eyJzeXN0ZW0.c2ln"));
  }
});

for (
  const [what, status, body] of [
    ["is very long", 200, TOKENS.replace("eyJh", "eyJh".padEnd(100_000, "x"))],
    ["is cut off", 200, TOKENS.slice(0, -30)],
    ["comes with status 201", 201, TOKENS],
    ["comes with status 500", 500, TOKENS],
    [
      "comes as a form",
      200,
      "access_token=8A%3ACust12345.AbCd&id_token=eyJhbGciOi.eyJzeXN0ZW0.c2ln",
    ],
    ["holds no id_token", 200, TOKENS.replace("id_token", "id_tokens")],
    ["is of another form", 200, TOKENS.replace('"Bearer"', "1")],
  ] as const
) {
  test(`an answer with tokens that ${what} is refused, and none of it is quoted`, async () => {
    const { send } = answering(METADATA);
    const loginHost = await readLoginHost(LOGIN_URL, send);
    const own = await askForApproval(loginHost, CLIENT);
    const answered = new URLSearchParams({ state: own.state, code: "a-code-that-nobody-knows" });
    const secrets = { add: () => {}, delete: () => {} };
    const redeemed = redeem(
      answered,
      own,
      loginHost,
      CLIENT,
      answeringText(body, status).send,
      secrets,
    );
    const error = await redeemed.then(() => assert.fail("it was taken"), (error: Error) => error);
    assert.match(error.message, /^sod\.superoffice\.com answered redeeming the code with /);
    assert.doesNotMatch(error.message, /8A|AbCd|eyJ|c2ln/);
  });
}
