// A check for each step of a log-on, made with that step. What a check throws explains why it failed.
import { type KeyObject, verify } from "node:crypto";
import { decodeJwt, importJWK, type LocalJWKSet } from "jose";
import type { Clock } from "../console/clock.ts";
import { readPrincipal, WHO_AM_I } from "../superoffice/callTenant.ts";
import {
  InvalidTimestampError,
  SigningError,
  UnreadableAnswerError,
} from "../superoffice/errors.ts";
import { askForJwt as ask } from "../superoffice/exchange.ts";
import { type HttpAnswer, type Send, serverTimeOf } from "../superoffice/http.ts";
import { askForKeySet, type KeySet, readKeySet } from "../superoffice/keySet.ts";
import type { CallTenant, ReadTenantState, SignToken } from "../superoffice/logOn.ts";
import type { Access, Application, Tenant } from "../superoffice/tenant.ts";
import { addressOf } from "../superoffice/tenantState.ts";
import { validateJwt } from "../superoffice/validateJwt.ts";
import type { Found } from "./findings.ts";

/** What one look at the login host brought: its answer, with its time and its keys, or why there is none. */
export interface LoginHostLook {
  host: string;
  /** When that was. */
  now: Date;
  answer?: HttpAnswer;
  error?: unknown;
}

/** Asks the login host for its key set. Never throws. */
export async function lookAtLoginHost(
  loginUrl: string,
  send: Send,
  clock: Clock,
): Promise<LoginHostLook> {
  const { host } = new URL(loginUrl);
  const look = await askForKeySet(loginUrl, send).then((answer) => ({ answer }), (error) => ({
    error,
  }));
  return { host, now: clock.now(), ...look };
}

/** Checks this machine's clock against the login host's. Where they are a minute apart, the later checks use that one. */
export function checkClock(
  { host, now, answer }: LoginHostLook & { answer: HttpAnswer },
  clock: Clock,
): Found<void> {
  const serverTime = serverTimeOf(answer);
  if (serverTime === undefined) {
    throw new UnreadableAnswerError(`${host} does not say its time (header Date)`);
  }
  const aheadSeconds = Math.trunc((now.getTime() - serverTime.getTime()) / 1000);
  const difference = aheadSeconds < 0 ? `${-aheadSeconds} s behind` : `${aheadSeconds} s ahead of`;
  const text = `this machine's clock is ${difference} the clock of ${host}`;
  if (Math.abs(aheadSeconds) < 60) return { value: undefined, text };
  const suspicion = clock.suspect(now, serverTime);
  if (suspicion === undefined) throw new InvalidTimestampError(text);
  clock.adopt(suspicion);
  throw new InvalidTimestampError(`${text}; the checks below use that one`);
}

/** Checks that the login host's key set holds RSA keys for signatures that can be used; gives how many. */
export async function checkKeySet({ host, answer, error }: LoginHostLook): Promise<Found<number>> {
  if (answer === undefined) throw error;
  const usable = await Promise.all(
    readKeySet(answer).keys.map(async (jwk) => {
      const isForSignatures = jwk.kty === "RSA" && (jwk.use ?? "sig") === "sig" &&
        (jwk.alg ?? "RS256") === "RS256";
      return isForSignatures && await importJWK(jwk, "RS256").then(() => true, () => false);
    }),
  );
  const count = usable.filter(Boolean).length;
  if (count === 0) {
    throw new UnreadableAnswerError(`The key set of ${host} holds no RSA key for signatures`);
  }
  return { value: count, text: `${host} answers, usable keys in its key set: ${count}` };
}

/** Checks that the tenant takes calls, and gives its address. */
export async function checkState(
  contextIdentifier: string,
  readTenantState: ReadTenantState,
): Promise<Found<string>> {
  const state = await readTenantState({ contextIdentifier });
  const api = addressOf(state);
  return { value: api, text: `${contextIdentifier} is ${state.state}, at ${api}` };
}

/** Signs the system user token, and checks the signature with the public key. Gives the signed system token, a secret. */
export async function checkSignature(
  tenant: Tenant,
  publicKey: KeyObject,
  signToken: SignToken,
  now: Date,
): Promise<Found<string>> {
  const signed = await signToken(tenant, now);
  const end = signed.lastIndexOf(".");
  const signature = Buffer.from(signed.slice(end + 1), "base64");
  if (!verify("sha256", Buffer.from(signed.slice(0, end)), publicKey, signature)) {
    throw new SigningError("The signature does not verify with the public key");
  }
  const minute = `${now.toISOString().slice(0, 16)}Z`;
  return {
    value: signed,
    text: `the signed system token of ${minute} verifies with the public key`,
  };
}

/** A JWT, a secret that is not validated yet, and the keys as they were when it was asked for. */
export interface AskedFor {
  jwt: string;
  keysWhenAsked: LocalJWKSet;
}

/** Asks for the JWT, once. */
export async function askForJwt(
  { contextIdentifier }: Tenant,
  signedSystemToken: string,
  application: Application,
  keySet: KeySet,
  send: Send,
): Promise<Found<AskedFor>> {
  const keysWhenAsked = await keySet.get();
  const jwt = await ask(contextIdentifier, signedSystemToken, application, send);
  return {
    value: { jwt, keysWhenAsked },
    text: "the signed system token was accepted, and a JWT given",
  };
}

/** Validates the JWT, says what it holds, and gives its ticket, a secret. */
export async function checkJwt(
  { contextIdentifier }: Tenant,
  { jwt, keysWhenAsked }: AskedFor,
  keySet: KeySet,
  now: Date,
): Promise<Found<string>> {
  const { ticket } = await validateJwt(jwt, contextIdentifier, keySet, now, keysWhenAsked);
  const claims = decodeJwt(jwt);
  const expiry = new Date(Number(claims.exp) * 1000).toISOString();
  return {
    value: ticket,
    text: `valid; issuer ${claims.iss}, audience ${[claims.aud].flat().join(", ")}, ` +
      `expires ${expiry}, tenant ${claims["http://schemes.superoffice.net/identity/ctx"]}`,
  };
}

/** Calls the tenant, and says who the system user is. */
export async function checkCall(
  tenant: Tenant,
  access: Access,
  callTenant: CallTenant,
): Promise<Found<void>> {
  const answer = await callTenant(tenant, access, WHO_AM_I);
  const { associate, associateId, fullName, userType } = readPrincipal(
    tenant.contextIdentifier,
    answer,
  );
  const more = [
    fullName,
    associateId === null ? null : `associate id ${associateId}`,
    userType,
  ].filter((text) => text !== null);
  return {
    value: undefined,
    text: `the system user is ${associate}${more.length > 0 ? ` (${more.join(", ")})` : ""}`,
  };
}
