// The stand-in's approval, as a web application and an administrator's browser see it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { compactVerify, createRemoteJWKSet, decodeJwt, jwtVerify } from "jose";
import { CLAIM } from "../fixtures/jwts.ts";
import { ID_TOKEN_FORGERIES, type IdTokenForgery } from "../fixtures/idToken.ts";
import { SAMPLE_REGISTRATION } from "../fixtures/registration.ts";
import type { StandIn, Tenant, Trouble } from "../fixtures/standIn.ts";
import { CLIENT_SECRET, makeTenants } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";

const { clientId } = SAMPLE_REGISTRATION;
const REDIRECT_URL = "http://127.0.0.1:3300/openid/callback";
const VERIFIER = "a-verifier-of-forty-three-characters-or-more";
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");
const NOW = Date.UTC(2026, 10, 24, 12);

let standIn: StandIn;
let tenants: Tenant[];
let now = NOW;
let ends: (() => void)[] = [];

before(async () => {
  standIn = await startTestStandIn([], { now: () => now });
});

after(() => standIn.close());

beforeEach(() => {
  now = NOW;
  for (const end of ends) end();
  ends = [];
  Object.assign(standIn.registration, SAMPLE_REGISTRATION);
  standIn.tenants.clear();
  tenants = makeTenants(3);
  for (const tenant of tenants) standIn.tenants.set(tenant.contextIdentifier.toLowerCase(), tenant);
});

function misbehave(trouble: Trouble): void {
  ends.push(standIn.misbehave(trouble));
}

type Fields = Record<string, string | undefined>;

/** Those of a request without those that are undefined. */
function encoded(fields: Fields): URLSearchParams {
  return new URLSearchParams(
    Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined),
  );
}

function authorizeUrl(changes: Fields = {}): string {
  const query = encoded({
    client_id: clientId,
    redirect_uri: REDIRECT_URL,
    response_type: "code",
    scope: "openid",
    state: "a-state",
    nonce: "a-nonce",
    ...changes,
  });
  return `${standIn.loginUrl}/login/common/oauth/authorize?${query}`;
}

async function open(changes: Fields = {}) {
  const answer = await fetch(authorizeUrl(changes), { redirect: "manual" });
  return { status: answer.status, html: await answer.text(), to: answer.headers.get("location") };
}

/** What the page's form sends. */
async function decide(form: Fields, changes: Fields = {}) {
  const answer = await fetch(authorizeUrl(changes), {
    method: "POST",
    body: encoded(form),
    redirect: "manual",
  });
  return { status: answer.status, html: await answer.text(), to: answer.headers.get("location") };
}

/** The values that come back to the redirect URL. */
async function approve(tenant = "Cust10001", changes: Fields = {}) {
  const { to } = await decide({ tenant, decision: "approve" }, changes);
  assert.ok(to?.startsWith(`${changes["redirect_uri"] ?? REDIRECT_URL}?`), to ?? "no redirect");
  return Object.fromEntries(new URL(to!).searchParams) as Record<string, string>;
}

async function askTokens(form: Fields, headers: Record<string, string> = {}) {
  const answer = await fetch(`${standIn.loginUrl}/login/common/oauth/tokens`, {
    method: "POST",
    headers,
    body: encoded({
      grant_type: "authorization_code",
      client_id: clientId,
      client_secret: CLIENT_SECRET,
      redirect_uri: REDIRECT_URL,
      ...form,
    }),
  });
  return { status: answer.status, body: await answer.json() as Record<string, string> };
}

async function idTokenOf(changes: Fields = {}): Promise<string> {
  const { code } = await approve("Cust10001", changes);
  const { status, body } = await askTokens({ code });
  assert.equal(status, 200, JSON.stringify(body));
  return body["id_token"]!;
}

describe("the page", () => {
  test("names application and redirect URL, and offers every tenant", async () => {
    const { status, html } = await open();
    assert.equal(status, 200);
    assert.match(html, /<h1>Approve Demo App<\/h1>/);
    assert.ok(html.includes(REDIRECT_URL));
    for (const { contextIdentifier } of tenants) {
      assert.ok(html.includes(`<option value="${contextIdentifier}">`), contextIdentifier);
    }
  });

  test("is for one tenant where the request names it, in whatever letter case", async () => {
    const { html } = await open({ acr_values: "tenant:cust10002" });
    assert.match(html, /<h1>Approve Demo App for Company of Cust10002<\/h1>/);
    assert.doesNotMatch(html, /<option/);
  });

  const wrong: [name: string, changes: Fields, said: RegExp][] = [
    ["of another client", { client_id: "other" }, /client_id other is not/],
    ["without a client", { client_id: undefined }, /client_id \(none\)/],
    ["without a redirect URL", { redirect_uri: undefined }, /redirect_uri \(none\) is not/],
    [
      "to another host",
      { redirect_uri: "https://example.com/" },
      /example.com\/ is not registered/,
    ],
    [
      "to another host that looks like this machine",
      { redirect_uri: "http://127.0.0.1:3300@example.com/" },
      /is not registered/,
    ],
    ["with markup in it", { client_id: "<script>" }, /client_id &#60;script&#62; is not/],
    ["for an unknown tenant", { acr_values: "tenant:Cust1" }, /no tenant Cust1/],
  ];
  for (const [name, changes, said] of wrong) {
    test(`says what is wrong with a request ${name}, and sends the browser nowhere`, async () => {
      for (
        const { status, html, to } of [
          await open(changes),
          await decide({ decision: "approve" }, changes),
        ]
      ) {
        assert.equal(status, 400);
        assert.match(html, said);
        assert.equal(to, null);
      }
    });
  }

  const refused: [error: string, changes: Fields][] = [
    ["unsupported_response_type", { response_type: "token" }],
    ["invalid_scope", { scope: "profile" }],
    ["invalid_request", { response_mode: "smoke" }],
    ["invalid_request", { code_challenge: CHALLENGE, code_challenge_method: "plain" }],
  ];
  for (const [error, changes] of refused) {
    test(`sends the error ${error} of ${Object.keys(changes)[0]} to the redirect URL`, async () => {
      const { status, to } = await open(changes);
      assert.equal(status, 303);
      const { searchParams } = new URL(to!);
      assert.equal(searchParams.get("error"), error);
      assert.equal(searchParams.get("state"), "a-state");
    });
  }

  test("is not on a numbered host", async () => {
    const { pathname, search } = new URL(authorizeUrl());
    assert.equal((await fetch(standIn.hostUrls[0] + pathname + search)).status, 404);
  });

  test("is found in whatever letter case", async () => {
    const url = authorizeUrl().replace("/login/common/oauth", "/Login/Common/OAuth");
    assert.equal((await fetch(url)).status, 200);
  });
});

describe("registered redirect URLs", () => {
  test("are held to the letter, or to a regular expression as in the portal", async () => {
    standIn.registration.redirectUrls = [
      "http://localhost:3300/openid/callback",
      String.raw`^http://127.0.0.1\:\d{4,10}$`,
    ];
    const opened: [url: string, status: number][] = [
      ["http://localhost:3300/openid/callback", 200],
      ["http://localhost:3300/openid/callback/", 400],
      ["http://127.0.0.1:33000", 200],
      ["http://127.0.0.1:33000/", 400],
    ];
    for (const [url, status] of opened) {
      assert.equal((await open({ redirect_uri: url })).status, status, url);
    }
  });
});

describe("a decision", () => {
  test("to approve brings a code and the state by GET", async () => {
    const { code, ...others } = await approve();
    assert.ok(code);
    assert.deepEqual(others, { state: "a-state" });
  });

  test("to decline brings an error and the state, and no code", async () => {
    const { to } = await decide({ tenant: "Cust10001", decision: "decline" });
    const { error, state, code } = Object.fromEntries(new URL(to!).searchParams);
    assert.deepEqual({ error, state, code }, {
      error: "access_denied",
      state: "a-state",
      code: undefined,
    });
  });

  test("comes by a form that is sent by itself, or by a button, where the portal was told POST", async () => {
    standIn.registration.responseMode = "form_post";
    const { status, html } = await decide({ tenant: "Cust10001", decision: "approve" });
    assert.equal(status, 200);
    assert.ok(html.includes(`<form method="post" action="${REDIRECT_URL}">`));
    assert.match(html, /name="code" value="[\w-]{43}"[^]*name="state" value="a-state"/);
    assert.match(html, /<button>Continue<\/button>[^]*\.submit\(\)/);
  });

  test("comes as it was asked for, whatever the portal was told", async () => {
    const asked = (response_mode: string) =>
      decide({ tenant: "Cust10001", decision: "approve" }, { response_mode });
    assert.match((await asked("form_post")).html, /method="post" action=/);
    assert.match((await asked("fragment")).to!, /callback#code=/);
    standIn.registration.responseMode = "form_post";
    assert.match((await asked("query")).to!, /callback\?code=/);
  });

  test("keeps the query that the redirect URL has already", async () => {
    const redirect_uri = `${REDIRECT_URL}?from=here`;
    const { to } = await decide({ tenant: "Cust10001", decision: "approve" }, { redirect_uri });
    assert.match(to!, /callback\?from=here&code=[\w-]{43}&state=a-state$/);
  });

  for (const [how, state] of [["noState", undefined], ["otherState", /another/]] as const) {
    test(`may be told to come with ${how}`, async () => {
      misbehave({ at: "approval", how });
      const answer = await approve();
      if (state === undefined) assert.equal("state" in answer, false);
      else assert.match(answer["state"]!, state);
    });
  }

  test("may be told to be an error of any name", async () => {
    misbehave({ at: "approval", how: { refuse: "server_error: Try later" }, times: 1 });
    const answer = await approve();
    assert.equal(answer["error"], "server_error");
    assert.equal(answer["error_description"], "Try later");
  });

  test("for a tenant whose token was revoked makes a new one", async () => {
    const [tenant] = tenants;
    const { systemUserToken } = tenant!;
    tenant!.revoked = true;
    const claims = decodeJwt(await idTokenOf());
    assert.notEqual(tenant!.systemUserToken, systemUserToken);
    assert.equal(claims[`${CLAIM}system_token`], tenant!.systemUserToken);
    assert.equal(tenant!.revoked, false);
  });
});

describe("the tokens", () => {
  test("come for a code, with an id_token that says all of the approval", async () => {
    const { code } = await approve("cust10002");
    const { status, body } = await askTokens({ code });
    assert.equal(status, 200);
    assert.equal(body["token_type"], "Bearer");
    assert.match(body["access_token"]!, /^8A:Cust10002\./);
    assert.equal(body["expires_in"], 3600);
    assert.ok(body["refresh_token"]);
    const claims = decodeJwt<Record<string, unknown>>(body["id_token"]!);
    assert.deepEqual(claims, {
      iss: standIn.loginUrl,
      aud: clientId,
      nonce: "a-nonce",
      iat: String(NOW / 1000),
      nbf: NOW / 1000,
      exp: NOW / 1000 + 300,
      [`${CLAIM}ctx`]: "Cust10002",
      [`${CLAIM}serial`]: "1000010002",
      [`${CLAIM}system_token`]: tenants[1]!.systemUserToken,
      [`${CLAIM}associateid`]: "5",
      [`${CLAIM}upn`]: "administrator@cust10002.example",
      [`${CLAIM}email`]: "administrator@cust10002.example",
      [`${CLAIM}company_name`]: "Company of Cust10002",
      [`${CLAIM}identityprovider`]: "superid",
      [`${CLAIM}is_administrator`]: "True",
      [`${CLAIM}webapi_url`]: `${standIn.hostUrls[1]}/Cust10002/api/`,
      [`${CLAIM}netserver_url`]: `${standIn.hostUrls[1]}/Cust10002/Remote/Services86/`,
    });
  });

  test("are for the serial where the portal says so, and for the user that the request hints at", async () => {
    standIn.registration.audience = "serial";
    const claims = decodeJwt(await idTokenOf({ login_hint: "anna@example.com" }));
    assert.equal(claims.aud, "spn:1000010001");
    assert.equal(claims[`${CLAIM}upn`], "anna@example.com");
  });

  test("are signed with a key of the metadata's key set", async () => {
    const metadata = await fetch(`${standIn.loginUrl}/login/.well-known/openid-configuration`);
    const { jwks_uri, token_endpoint, code_challenge_methods_supported } = await metadata.json();
    assert.equal(token_endpoint, `${standIn.loginUrl}/login/common/oauth/tokens`);
    assert.deepEqual(code_challenge_methods_supported, ["S256"]);
    const idToken = await idTokenOf();
    // A generic library refuses the text that iat is, when it has found the signature right.
    const checked = jwtVerify(idToken, createRemoteJWKSet(new URL(jwks_uri)));
    await assert.rejects(checked, { code: "ERR_JWT_CLAIM_VALIDATION_FAILED", claim: "iat" });
  });

  test("come for client id and secret in a header, too, and not in both", async () => {
    const basic = (id: string, secret: string) => ({
      Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
    });
    const { code } = await approve();
    const inHeader = { code, client_id: undefined, client_secret: undefined };
    const statuses = [
      await askTokens(inHeader, basic(clientId, "wrong")),
      await askTokens({ code }, basic(clientId, CLIENT_SECRET)),
      await askTokens(inHeader, basic(clientId, CLIENT_SECRET)),
    ].map(({ status, body }) => [status, body["error"]]);
    assert.deepEqual(statuses, [
      [401, "invalid_client"],
      [401, "invalid_client"],
      [200, undefined],
    ]);
  });

  const refused: [name: string, error: string, status: number, form: Fields][] = [
    ["another secret", "invalid_client", 401, { client_secret: "wrong" }],
    ["another client", "invalid_client", 401, { client_id: "wrong" }],
    ["another redirect URL", "invalid_grant", 400, { redirect_uri: `${REDIRECT_URL}2` }],
    ["another code", "invalid_grant", 400, { code: "wrong" }],
    ["a verifier without a challenge", "invalid_grant", 400, { code_verifier: VERIFIER }],
    ["another grant", "unsupported_grant_type", 400, { grant_type: "password" }],
  ];
  for (const [name, error, status, form] of refused) {
    test(`do not come for ${name}: ${error}`, async () => {
      const { code } = await approve();
      const answer = await askTokens({ code, ...form });
      assert.deepEqual([answer.status, answer.body["error"]], [status, error]);
      assert.ok(answer.body["error_description"]);
    });
  }

  test("come with the verifier alone where the request gave a challenge", async () => {
    const pkce = { code_challenge: CHALLENGE, code_challenge_method: "S256" };
    for (
      const [verifier, status] of [[VERIFIER, 200], [`${VERIFIER}2`, 400], [
        undefined,
        400,
      ]] as const
    ) {
      const { code } = await approve("Cust10001", pkce);
      assert.equal((await askTokens({ code, code_verifier: verifier })).status, status);
    }
  });

  test("come once for a code, and within ten minutes", async () => {
    const { code } = await approve();
    assert.equal((await askTokens({ code })).status, 200);
    assert.equal((await askTokens({ code })).body["error"], "invalid_grant");
    const { code: old } = await approve();
    now += 10 * 60_000;
    const { code: older } = await approve();
    assert.equal((await askTokens({ code: old })).status, 200);
    now += 10 * 60_000 + 1;
    assert.match((await askTokens({ code: older })).body["error_description"]!, /expired/);
  });

  test("come for the secret that the portal has now", async () => {
    const key = new URL("../fixtures/keys/app-key.pub.pem", import.meta.url);
    const applicationPublicKey = await readFile(key, "utf8");
    const { code } = await approve();
    standIn.replaceApplication({ clientSecret: "new", applicationPublicKey });
    const old = await askTokens({ code });
    const current = await askTokens({ code, client_secret: "new" });
    standIn.replaceApplication({ clientSecret: CLIENT_SECRET, applicationPublicKey });
    assert.deepEqual([old.status, current.status], [401, 200]);
  });

  test("may be told to be an error of any name, or no answer at all, for one tenant", async () => {
    const contextIdentifier = "Cust10001";
    misbehave({
      at: "tokens",
      how: { refuse: "invalid_grant: Not you" },
      contextIdentifier,
      times: 1,
    });
    misbehave({ at: "tokens", how: { status: 503 }, contextIdentifier, times: 1 });
    const { code } = await approve("Cust10002");
    assert.equal((await askTokens({ code })).status, 200);
    const { code: troubled } = await approve();
    const { body } = await askTokens({ code: troubled });
    assert.deepEqual(body, { error: "invalid_grant", error_description: "Not you" });
    await assert.rejects(askTokens({ code: troubled }), SyntaxError);
  });
});

describe("a forged id_token", () => {
  /** What its claims say, where the seal is in order; undefined where the seal is what is wrong. */
  const different: Record<
    IdTokenForgery,
    ((claims: Record<string, unknown>) => boolean) | undefined
  > = {
    unknownKey: undefined,
    unsigned: undefined,
    hmacWithPublicKey: undefined,
    otherRsaAlgorithm: undefined,
    changedPayload: undefined,
    garbage: undefined,
    expired: ({ exp }) => Number(exp) < NOW / 1000,
    notYetValid: ({ nbf }) => Number(nbf) > NOW / 1000,
    noExpiry: ({ exp }) => exp === undefined,
    otherIssuer: ({ iss }) => iss !== standIn.loginUrl,
    exchangeIssuer: ({ iss }) => iss === "SuperOffice AS",
    otherAudience: ({ aud }) => aud !== clientId,
    noAudience: ({ aud }) => aud === undefined,
    otherNonce: ({ nonce }) => nonce !== "a-nonce",
    noNonce: ({ nonce }) => nonce === undefined,
    otherTenant: (claims) => claims[`${CLAIM}ctx`] === "Cust99999",
    noTenant: (claims) => !(`${CLAIM}ctx` in claims),
    noSystemToken: (claims) => !(`${CLAIM}system_token` in claims),
    emptySystemToken: (claims) => claims[`${CLAIM}system_token`] === "",
    notAdministrator: (claims) => claims[`${CLAIM}is_administrator`] === "False",
  };
  for (const forge of ID_TOKEN_FORGERIES) {
    test(`is what it is called: ${forge}`, async () => {
      misbehave({ at: "tokens", how: { forge } });
      const idToken = await idTokenOf();
      const keys = createRemoteJWKSet(new URL(`${standIn.loginUrl}/login/.well-known/jwks`));
      const unsealed = compactVerify(idToken, keys, { algorithms: ["RS256"] });
      const isDifferent = different[forge];
      if (isDifferent === undefined) await assert.rejects(unsealed);
      else assert.ok(isDifferent(JSON.parse(new TextDecoder().decode((await unsealed).payload))));
    });
  }
});
