// The stand-in, asked at real names and over TLS, as SuperOffice's published clients ask SuperOffice.
import assert from "node:assert/strict";
import { createSign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import type * as WebApiClient from "@superoffice/webapi";
import { createRemoteJWKSet, customFetch, decodeJwt, jwtVerify } from "jose";
import { Agent, buildConnector, fetch as undiciFetch, Request, Response } from "undici";
import type { StandIn } from "../fixtures/standIn.ts";
import { createAuthority } from "./support/certificates.ts";
import { CLIENT_SECRET, makeTenants } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { startTlsServer } from "./support/tlsServers.ts";

const { WebApi } = createRequire(import.meta.url)("@superoffice/webapi") as typeof WebApiClient;

const LOGIN = "https://sod.superoffice.com";
const CLAIM = "http://schemes.superoffice.net/identity/";
const tenant = { ...makeTenants(1)[0]!, origin: "https://sod3.superoffice.com" };
const api = `${tenant.origin}/Cust10001/api`;

let standIn: StandIn;
let agent: Agent;
/** As the platform's own, but that the real names lead to this machine. */
let fetch: typeof globalThis.fetch;

before(async () => {
  standIn = await startTestStandIn([tenant]);
  const authority = createAuthority("An authority that the clients trust");
  const serve = async (name: string, url: string) =>
    (await startTlsServer(authority.certify(name), Number(new URL(url).port))).port;
  const ports: Record<string, number> = {
    "sod.superoffice.com": await serve("sod.superoffice.com", standIn.loginUrl),
    "sod3.superoffice.com": await serve("sod3.superoffice.com", standIn.hostUrls[0]!),
  };
  const connect = buildConnector({ ca: authority.cert });
  agent = new Agent({
    connect: (to, done) =>
      connect({
        ...to,
        hostname: "127.0.0.1",
        port: String(ports[to.hostname]),
        servername: to.hostname,
      }, done),
  });
  fetch = ((url: string, init: object) =>
    undiciFetch(url, { ...init, dispatcher: agent })) as unknown as typeof globalThis.fetch;
});

after(async () => {
  await agent.destroy();
  await standIn.close();
});

/** The exchange's answer to a token that was signed now. */
async function exchange(path: string) {
  const key = new URL("../fixtures/keys/app-key.pkcs8.pem", import.meta.url);
  const minute = new Date().toISOString().replace(/\D/g, "").slice(0, 12);
  const unsigned = `${tenant.systemUserToken}.${minute}`;
  const signature = createSign("RSA-SHA256").update(unsigned).sign(await readFile(key), "base64");
  const answer = await fetch(LOGIN + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept": "application/json" },
    body: JSON.stringify({
      SignedSystemToken: `${unsigned}.${signature}`,
      ApplicationToken: CLIENT_SECRET,
      ContextIdentifier: tenant.contextIdentifier,
      ReturnTokenType: "JWT",
    }),
  });
  return await answer.json() as { IsSuccessful: boolean; Token: string };
}

async function newTicket(): Promise<string> {
  const { Token } = await exchange("/Login/api/PartnerSystemUser/Authenticate");
  return String(decodeJwt(Token)[`${CLAIM}ticket`]);
}

function keysAt(url: string) {
  return createRemoteJWKSet(new URL(url), { [customFetch]: fetch });
}

test("the TypeScript sample's service gets its ticket: it asks for the keys below /Login/", async () => {
  const { Token } = await exchange("/Login/api/PartnerSystemUser/Authenticate");
  const keys = `${LOGIN}/Login/.well-known/jwks`;
  assert.equal((await fetch(keys)).status, 200);
  const { payload } = await jwtVerify(Token, keysAt(keys));
  assert.match(String(payload[`${CLAIM}ticket`]), /^7T:/);
  assert.equal(payload[`${CLAIM}webapi_url`], `${api}/`);
  assert.equal(
    payload[`${CLAIM}netserver_url`],
    `${tenant.origin}/Cust10001/Remote/Services86/`,
  );
});

test("a client that begins with the metadata finds the keys there, and checks all that the JWT says", async () => {
  const { Token } = await exchange("/Login/api/PartnerSystemUser/Authenticate");
  const answer = await fetch(`${LOGIN}/login/.well-known/openid-configuration`);
  const metadata = await answer.json() as Record<string, string>;
  assert.equal(metadata["issuer"], LOGIN);
  assert.equal(metadata["authorization_endpoint"], `${LOGIN}/login/common/oauth/authorize`);
  const { payload } = await jwtVerify(Token, keysAt(metadata["jwks_uri"]!), {
    algorithms: ["RS256"],
    issuer: "SuperOffice AS",
    audience: `spn:${decodeJwt(Token)[`${CLAIM}serial`]}`,
    requiredClaims: ["nbf", "exp"],
  });
  assert.equal(payload[`${CLAIM}ctx`], tenant.contextIdentifier);
});

test("asked on this machine, the metadata leads to the keys, too", async () => {
  const answer = await globalThis.fetch(
    `${standIn.loginUrl}/login/.well-known/openid-configuration`,
  );
  const { issuer, jwks_uri } = await answer.json();
  assert.equal(issuer, standIn.loginUrl);
  assert.equal((await (await globalThis.fetch(jwks_uri)).json()).keys.length, 1);
});

test("SuperOffice's own typed client works with its ticket, by agents and by REST", async () => {
  const state = await (await fetch(`${LOGIN}/api/state/cust10001`)).json() as { Api: string };
  assert.equal(state.Api, api);
  const client = new WebApi({
    baseUrl: state.Api,
    axiosConfig: { adapter: "fetch", env: { fetch, Request, Response } as object },
  });
  client.authenticateWithTicket(await newTicket());
  client.applicationToken(CLIENT_SECRET);
  assert.equal((await client.getContactAgent().getContactEntityAsync(2)).name, "Beta Inc");
  assert.equal(await client.getContactAgent().getContactEntityAsync(4), null);
  assert.equal((await client.getContactRestApi().getByIdAsync(3)).name, "Gamma AS");
  await assert.rejects(client.getContactRestApi().getByIdAsync(4), { status: 404 });
});

test("no path tells letter case apart", async () => {
  const ticket = await newTicket();
  const headers = { "Authorization": `SOTicket ${ticket}`, "SO-AppToken": CLIENT_SECRET };
  const change: ((path: string) => string)[] = [
    (path) => path.toLowerCase(),
    (path) => path.toUpperCase(),
  ];
  for (const inCase of change) {
    const exchanged = await exchange(inCase("/Login/api/PartnerSystemUser/Authenticate"));
    assert.equal(exchanged.IsSuccessful, true);
    for (
      const [host, path] of [
        [LOGIN, "/login/.well-known/jwks"],
        [LOGIN, "/login/.well-known/openid-configuration"],
        [LOGIN, "/api/state/Cust10001"],
        [tenant.origin, "/Cust10001/api/v1/User/currentPrincipal"],
        [tenant.origin, "/Cust10001/api/v1/Contact"],
        [tenant.origin, "/Cust10001/api/v1/Contact/1"],
      ] as const
    ) {
      const answer = await fetch(host + inCase(path), { headers });
      assert.equal(answer.status, 200, inCase(path));
      assert.ok(await answer.json(), path);
    }
  }
});
