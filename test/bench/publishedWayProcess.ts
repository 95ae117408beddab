// The published way, as SuperOffice's samples go it: one customer after another, a new exchange every time.
import { createSign } from "node:crypto";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { CLIENT_SECRET, makeTenants } from "../support/sampleTenants.ts";
import { KEY_FILE } from "./sampleKey.ts";

export interface PublishedWayInput {
  loginUrl: string;
  customers: number;
  /** Whether the state is read first; else the address is the one that the JWT names. */
  readsState: boolean;
}

export interface PublishedWayTimes {
  msEach: number;
}

const CLAIM = "http://schemes.superoffice.net/identity/";
const input: PublishedWayInput = JSON.parse(process.argv[2] ?? "");
const { loginUrl, customers, readsState } = input;
const privateKey = await readFile(KEY_FILE, "utf8");
const keys = createRemoteJWKSet(new URL(`${loginUrl}/login/.well-known/jwks`));

async function logOn(contextIdentifier: string, systemUserToken: string): Promise<void> {
  if (readsState) {
    const state = await (await fetch(`${loginUrl}/api/state/${contextIdentifier}`)).json();
    if (!state.IsRunning) throw new Error(`${contextIdentifier} does not run`);
  }
  const minute = new Date().toISOString().replace(/\D/g, "").slice(0, 12);
  const signedPart = `${systemUserToken}.${minute}`;
  const signature = createSign("RSA-SHA256").update(signedPart).sign(privateKey, "base64");
  const answer = await fetch(`${loginUrl}/Login/api/PartnerSystemUser/Authenticate`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      SignedSystemToken: `${signedPart}.${signature}`,
      ApplicationToken: CLIENT_SECRET,
      ContextIdentifier: contextIdentifier,
      ReturnTokenType: "JWT",
    }),
  });
  const { payload } = await jwtVerify((await answer.json()).Token, keys);
  const called = await fetch(`${payload[`${CLAIM}webapi_url`]}v1/User/currentPrincipal`, {
    headers: {
      "Authorization": `SOTicket ${payload[`${CLAIM}ticket`]}`,
      "SO-AppToken": CLIENT_SECRET,
    },
  });
  await called.json();
}

const startedAt = performance.now();
for (const { contextIdentifier, systemUserToken } of makeTenants(customers)) {
  await logOn(contextIdentifier, systemUserToken);
}
const msEach = (performance.now() - startedAt) / customers;
console.log(JSON.stringify({ msEach } satisfies PublishedWayTimes));
process.exit();
