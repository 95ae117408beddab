import { type KeyObject, verify } from "node:crypto";
import { decodeJwt, importJWK, type LocalJWKSet } from "jose";
import { callTenant } from "../callTenant.ts";
import type { Clock } from "../clock.ts";
import {
  InvalidTimestampError,
  SigningError,
  TenantNotRunningError,
  UnreadableAnswerError,
} from "../errors.ts";
import { answerSchema, type Application, exchange } from "../exchange.ts";
import type { Passed } from "./findings.ts";
import { type HttpAnswer, type HttpOptions, readJson, type Send, serverTimeOf } from "../http.ts";
import { createKeySet, type KeySet } from "../keySet.ts";
import { type Signer, signToken } from "../signToken.ts";
import { meaningOf, readTenantState } from "../tenantState.ts";
import { trustedUrl } from "../trustedHost.ts";

/** What one look at the login host brought: its time and its keys, or why not. */
export interface LoginHostAnswer {
  host: string;
  serverTime: Date | undefined;
  keySet: KeySet;
  keys: LocalJWKSet | undefined;
  error: unknown;
}

/** Reads the login host's key set and, from the same answer, its time. Never throws. */
export async function askLoginHost(
  loginUrl: string,
  http: HttpOptions,
  monotonicMs: () => number,
): Promise<LoginHostAnswer> {
  const seen = rememberAnswer(http.send);
  const keySet = createKeySet(loginUrl, { ...http, send: seen.send }, monotonicMs);
  let keys: LocalJWKSet | undefined;
  let error: unknown;
  try {
    keys = await keySet.get();
  } catch (cause) {
    error = cause;
  }
  return {
    host: new URL(loginUrl).host,
    serverTime: seen.answer() && serverTimeOf(seen.answer()!),
    keySet,
    keys,
    error,
  };
}

/**
 * Checks this machine's clock against the login host's `Date`. Where they are more than a minute apart it throws
 * {@link InvalidTimestampError}, and corrects the clock for the checks that follow.
 */
export function checkClock(
  { host, serverTime, error }: LoginHostAnswer,
  clock: Clock,
): Passed<undefined> {
  if (serverTime === undefined) {
    throw error ?? new UnreadableAnswerError(`${host} does not say its time (header Date)`);
  }
  const now = clock.now();
  const aheadSeconds = Math.trunc((now.getTime() - serverTime.getTime()) / 1000);
  const text = `this machine's clock is ${
    aheadSeconds < 0 ? `${-aheadSeconds} s behind` : `${aheadSeconds} s ahead of`
  } the clock of ${host}`;
  if (clock.correct(now, serverTime) === undefined) return { value: undefined, text };
  throw new InvalidTimestampError(`${text}; the checks below use that one`);
}

/** Checks that the key set holds RSA keys for signatures that can be used. Throws why not. */
export async function checkKeySet(
  { host, keySet, keys, error }: LoginHostAnswer,
): Promise<Passed<KeySet>> {
  if (keys === undefined) throw error;
  const usable = await Promise.all(
    keys.jwks().keys.map(async (jwk) => {
      const isForSignatures = jwk.kty === "RSA" && (jwk.use ?? "sig") === "sig" &&
        (jwk.alg ?? "RS256") === "RS256";
      return isForSignatures && await importJWK(jwk, "RS256").then(() => true, () => false);
    }),
  );
  const count = usable.filter(Boolean).length;
  if (count === 0) {
    throw new UnreadableAnswerError(`The key set of ${host} holds no RSA key for signatures`);
  }
  return { value: keySet, text: `${host} answers, usable keys in its key set: ${count}` };
}

/**
 * Checks that the tenant takes calls, and gives the address of its web services.
 * Throws {@link TenantNotRunningError}, and what {@link readTenantState} and {@link trustedUrl} throw.
 *
 * @see SuperOffice's page "Tenant status" (PROTOCOL.md §6)
 */
export async function checkState(
  contextIdentifier: string,
  loginUrl: string,
  http: HttpOptions,
): Promise<Passed<string>> {
  const { state, isRunning, api } = await readTenantState(contextIdentifier, loginUrl, http);
  if (!isRunning || api === null) throw new TenantNotRunningError(state, meaningOf(state));
  trustedUrl(api, loginUrl);
  return { value: api, text: `${contextIdentifier} is ${state}, at ${api}` };
}

/**
 * Signs the system user token, and checks the signature with the public key. Gives the signed system token, a secret.
 * Throws {@link SigningError}.
 *
 * @see SuperOffice's page "How to sign a system user token" (PROTOCOL.md §2)
 */
export async function checkSignature(
  systemUserToken: string,
  sign: Signer,
  publicKey: KeyObject,
  now: Date,
): Promise<Passed<string>> {
  const signed = await signToken(systemUserToken, sign, now).catch((cause) => {
    throw new SigningError(`The system user token could not be signed: ${cause.message}`, {
      cause,
    });
  });
  const end = signed.lastIndexOf(".");
  const signature = Buffer.from(signed.slice(end + 1), "base64");
  if (!verify("sha256", Buffer.from(signed.slice(0, end)), publicKey, signature)) {
    throw new SigningError("The signature does not verify with the public key");
  }
  return {
    value: signed,
    text: `the signed system token of ${
      now.toISOString().slice(0, 16)
    }Z verifies with the public key`,
  };
}

/** What an exchange gave. */
export interface Exchanged {
  /** A secret. */
  jwt: string;
  /** A secret; undefined when the JWT did not pass its validation. */
  ticket?: string;
  /** Why it did not. */
  error?: unknown;
}

/**
 * Makes one exchange. Throws what {@link exchange} throws as long as there is no JWT; a JWT that did not pass its
 * validation comes with the reason.
 *
 * @see SuperOffice's page "How to get a system user ticket credential" (PROTOCOL.md §3)
 */
export async function checkExchange(
  contextIdentifier: string,
  signedSystemToken: string,
  application: Application,
  keySet: KeySet,
  now: () => Date,
  http: HttpOptions,
): Promise<Passed<Exchanged>> {
  const seen = rememberAnswer(http.send);
  const text = "the signed system token was accepted, and a JWT given";
  let ticket: string | undefined;
  let error: unknown;
  try {
    ticket = await exchange(contextIdentifier, signedSystemToken, application, keySet, now, {
      ...http,
      send: seen.send,
    });
  } catch (cause) {
    error = cause;
  }
  const jwt = jwtOf(seen.answer());
  if (jwt === undefined) throw error;
  return { value: ticket === undefined ? { jwt, error } : { jwt, ticket }, text };
}

/**
 * Says what the JWT holds, and gives its ticket, a secret. Throws why its validation failed.
 *
 * @see SuperOffice's page "Validate security tokens" (PROTOCOL.md §4)
 */
export function checkJwt({ jwt, ticket, error }: Exchanged): Passed<string> {
  if (ticket === undefined) throw error;
  const claims = decodeJwt(jwt);
  const expiry = new Date(Number(claims.exp) * 1000).toISOString();
  return {
    value: ticket,
    text: `valid; issuer ${claims.iss}, audience ${[claims.aud].flat().join(", ")}, ` +
      `expires ${expiry}, tenant ${claims["http://schemes.superoffice.net/identity/ctx"]}`,
  };
}

/** Calls the tenant, and says who the system user is. Throws what {@link callTenant} throws. */
export async function checkCall(
  contextIdentifier: string,
  api: string,
  ticket: string,
  application: Application,
  http: HttpOptions,
): Promise<Passed<undefined>> {
  const { associate, associateId, fullName, userType } = await callTenant(
    contextIdentifier,
    api,
    ticket,
    application,
    http,
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

function jwtOf(answer: HttpAnswer | undefined): string | undefined {
  if (answer === undefined) return undefined;
  try {
    const { IsSuccessful, Token } = readJson(answer, answerSchema);
    return IsSuccessful && Token ? Token : undefined;
  } catch {
    return undefined;
  }
}

/** An HTTP client that remembers the last answer. */
function rememberAnswer(send: Send) {
  let answer: HttpAnswer | undefined;
  return {
    async send(...request: Parameters<Send>) {
      return answer = await send(...request);
    },
    answer: () => answer,
  };
}
