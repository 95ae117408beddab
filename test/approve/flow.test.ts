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

function answering(body: unknown, status = 200): { send: Send; asked: HttpRequest[] } {
  const asked: HttpRequest[] = [];
  return {
    asked,
    send(request) {
      asked.push(request);
      const bytes = new TextEncoder().encode(JSON.stringify(body));
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
  const client = { clientId: "our-client", redirectUrl: "http://127.0.0.1:3300" };
  const [one, two] = await Promise.all([
    askForApproval(loginHost, client),
    askForApproval(loginHost, client, "Cust12345"),
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
  const client = {
    loginUrl: LOGIN_URL,
    clientId: "our-client",
    clientSecret: "our-secret",
    redirectUrl: "http://127.0.0.1:3300",
  };
  const own = await askForApproval(loginHost, client);
  const answered = new URLSearchParams([["state", own.state], ["code", "Logged"], ["code", "on"]]);
  const known: string[] = [];
  const secrets = { add: (secret: string) => void known.push(secret), delete: () => {} };
  await assert.rejects(redeem(answered, own, loginHost, client, send, secrets), {
    code: "APPROVAL_REFUSED",
  });
  assert.deepEqual(known, [own.verifier]);
  assert.equal(asked.length, 1);
});
