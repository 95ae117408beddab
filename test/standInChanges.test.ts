// The stand-in's tenants change, as an approval and SuperOffice's notifications tell of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { readFile } from "node:fs/promises";
import { compactVerify, createRemoteJWKSet, decodeJwt } from "jose";
import { read } from "../fixtures/httpServer.ts";
import { CLAIM } from "../fixtures/jwts.ts";
import {
  CHANGE_TYPES,
  NOTIFICATION_FORGERIES,
  type NotificationForgery,
} from "../fixtures/notification.ts";
import { SAMPLE_REGISTRATION } from "../fixtures/registration.ts";
import type { StandIn, Tenant } from "../fixtures/standIn.ts";
import { createSuperOffice } from "../src/superoffice/mod.ts";
import { CLIENT_SECRET, makeTenants } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";

const REDIRECT_URL = "http://127.0.0.1:3300/openid/callback";

let standIn: StandIn;
let tenant: Tenant;
let listener: Server;
let listenerUrl: string;
let received: { type: string | undefined; body: Record<string, unknown> }[] = [];

before(async () => {
  standIn = await startTestStandIn([], { hasPage: true });
  listener = createServer(async (request, response) => {
    received.push({
      type: request.headers["content-type"],
      body: JSON.parse(await read(request)),
    });
    response.end("Thank you");
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  listenerUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/changes`;
});

after(async () => {
  await standIn.close();
  listener.closeAllConnections();
  listener.close();
});

beforeEach(() => {
  received = [];
  standIn.tenants.clear();
  [tenant] = makeTenants(1) as [Tenant];
  standIn.tenants.set("cust10001", tenant);
});

async function superOffice() {
  const key = new URL("../fixtures/keys/app-key.pkcs8.pem", import.meta.url);
  return await createSuperOffice({
    loginUrl: standIn.loginUrl,
    clientSecret: CLIENT_SECRET,
    privateKey: await readFile(key, "utf8"),
  });
}

function currentPrincipal(host: 0 | 1, ticket = "7T:none") {
  const headers = { "Authorization": `SOTicket ${ticket}`, "SO-AppToken": CLIENT_SECRET };
  const url = `${standIn.hostUrls[host]}/Cust10001/api/v1/User/currentPrincipal`;
  return fetch(url, { headers });
}

async function stateOf(): Promise<{ State: string; Api: string | null }> {
  return await (await fetch(`${standIn.loginUrl}/api/state/Cust10001`)).json();
}

test("a tenant that was just approved is logged on to with the token of its id_token", async () => {
  tenant.revoked = true;
  const query = new URLSearchParams({
    client_id: SAMPLE_REGISTRATION.clientId,
    redirect_uri: REDIRECT_URL,
    response_type: "code",
    scope: "openid",
    acr_values: "tenant:Cust10001",
  });
  const approved = await fetch(`${standIn.loginUrl}/login/common/oauth/authorize?${query}`, {
    method: "POST",
    body: new URLSearchParams({ decision: "approve" }),
    redirect: "manual",
  });
  const code = new URL(approved.headers.get("location")!).searchParams.get("code")!;
  const tokens = await fetch(`${standIn.loginUrl}/login/common/oauth/tokens`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id: SAMPLE_REGISTRATION.clientId,
      client_secret: CLIENT_SECRET,
      redirect_uri: REDIRECT_URL,
      code,
    }),
  });
  const claims = decodeJwt((await tokens.json()).id_token);
  const { logOn } = await superOffice();
  const { principal } = await logOn({
    contextIdentifier: String(claims[`${CLAIM}ctx`]),
    systemUserToken: String(claims[`${CLAIM}system_token`]),
  });
  assert.equal(principal.associate, "Associate 10001");
});

describe("a notification", () => {
  for (const [number, type] of CHANGE_TYPES.entries()) {
    test(`of ${type} is posted as JSON, with a JWT of the login host's`, async () => {
      const answer = await standIn.notify({ contextIdentifier: "Cust10001", type }, listenerUrl);
      assert.deepEqual(answer, { status: 200, body: "Thank you" });
      const [{ type: contentType, body }] = received as [typeof received[0]];
      assert.equal(contentType, "application/json");
      const { Token, ...others } = body;
      assert.deepEqual(others, {
        ChangeType: number,
        ContextIdentifier: "Cust10001",
        VersionName: "Release_10.3.8_2024.08.30-01",
        FileVersion: "10.3.8.2024",
        ...(type === "Move" && { PublicEndpoint: new URL(standIn.hostUrls[1]!).host }),
      });
      const claims = await verified(String(Token));
      assert.equal(claims["iss"], standIn.loginUrl);
      assert.deepEqual(Object.keys(claims).sort(), ["exp", "iat", "iss", "nbf"]);
    });
  }

  test("has what claims and body it is told to have, and nothing has to be true of it", async () => {
    const body = await standIn.notificationOf({
      contextIdentifier: "Cust10001",
      type: "Delete",
      happens: false,
      claims: { aud: "somebody", [`${CLAIM}ctx`]: "Cust10001" },
      body: { ChangeType: 99, VersionName: undefined },
    });
    assert.equal(body["ChangeType"], 99);
    assert.equal(body["VersionName"], undefined);
    const claims = await verified(String(body["Token"]));
    assert.deepEqual([claims["aud"], claims[`${CLAIM}ctx`]], ["somebody", "Cust10001"]);
    assert.equal((await stateOf()).State, "Running");
  });

  test("to nobody is an error", async () => {
    await assert.rejects(
      standIn.notify({ contextIdentifier: "Cust10001", type: "Resume" }, "http://127.0.0.1:9/"),
    );
  });

  const different: Record<
    NotificationForgery,
    ((claims: Record<string, unknown>) => boolean) | undefined
  > = {
    unknownKey: undefined,
    unsigned: undefined,
    hmacWithPublicKey: undefined,
    otherRsaAlgorithm: undefined,
    changedPayload: undefined,
    garbage: undefined,
    noToken: undefined,
    expired: ({ exp }) => Number(exp) < Date.now() / 1000,
    notYetValid: ({ nbf }) => Number(nbf) > Date.now() / 1000,
    noExpiry: ({ exp }) => exp === undefined,
    otherIssuer: ({ iss }) => iss !== standIn.loginUrl,
    exchangeIssuer: ({ iss }) => iss === "SuperOffice AS",
    otherAudience: ({ aud }) => aud !== undefined,
    otherTenant: (claims) => claims[`${CLAIM}ctx`] === "Cust99999",
  };
  for (const forge of NOTIFICATION_FORGERIES) {
    test(`may be forged, and is not true then: ${forge}`, async () => {
      const change = { contextIdentifier: "Cust10001", type: "Delete", forge } as const;
      const { Token } = await standIn.notificationOf(change);
      assert.equal(Token === undefined, forge === "noToken");
      const isDifferent = different[forge];
      if (isDifferent === undefined) await assert.rejects(verified(String(Token)));
      else assert.ok(isDifferent(await verified(String(Token))));
      assert.equal((await stateOf()).State, "Running");
    });
  }

  async function verified(token: string): Promise<Record<string, unknown>> {
    const keys = createRemoteJWKSet(new URL(`${standIn.loginUrl}/login/.well-known/jwks`));
    const { payload } = await compactVerify(token, keys, { algorithms: ["RS256"] });
    return JSON.parse(new TextDecoder().decode(payload));
  }
});

describe("what a notification tells of happens", () => {
  const happen = (type: typeof CHANGE_TYPES[number]) =>
    standIn.notificationOf({ contextIdentifier: "cust10001", type });

  test("a tenant that moves is found at its new address alone, and back again", async () => {
    for (const [from, to] of [[0, 1], [1, 0]] as const) {
      assert.notEqual((await currentPrincipal(from)).status, 421);
      await happen("Move");
      assert.equal((await currentPrincipal(from)).status, 421);
      assert.notEqual((await currentPrincipal(to)).status, 421);
      assert.equal((await stateOf()).Api, `${standIn.hostUrls[to]}/Cust10001/api`);
    }
  });

  test("a tenant is away, suspended, back and deleted", async () => {
    const states: string[] = [];
    for (const type of ["Upgrade", "Resume", "Suspend", "Resume", "Delete"] as const) {
      await happen(type);
      states.push((await stateOf()).State);
    }
    assert.deepEqual(states, ["OfflineMaintenance", "Running", "Suspended", "Running", "Deleted"]);
  });

  test("a restored tenant does not know its tickets any more, and the others know theirs", async () => {
    const other = makeTenants(2)[1]!;
    standIn.tenants.set("cust10002", other);
    const { logOn, getTicket, callTenant } = await superOffice() as never as Record<string, never>;
    void [logOn, getTicket, callTenant];
  });
});
