import { createLocalJWKSet, type JSONWebKeySet, type LocalJWKSet } from "jose";
import { z } from "zod";
import { type HttpAnswer, readJson, type Send, unexpectedStatus } from "./http.ts";

/** SuperOffice's public keys, kept between exchanges. */
export interface KeySet {
  /** The keys as known; read from the login host the first time, and when they are ten minutes old. */
  get(): Promise<LocalJWKSet>;
  /**
   * Newer keys than `stale`, for a signature that `stale` did not explain: reads them again, once for all who
   * ask at the same time. Gives `stale` itself when a look of the last 30 seconds brought nothing new.
   */
  renew(stale: LocalJWKSet): Promise<LocalJWKSet>;
}

const MAX_AGE_MS = 10 * 60 * 1000;
const NOTHING_NEW_MS = 30 * 1000;

// What else a key holds is not needed, and could be nested without end.
const text = z.string().optional();
const key = z.object({ kty: z.string(), kid: text, use: text, alg: text, n: text, e: text });
// How many there are is looked at first: to look at half a million would take ten seconds.
const MOST_KEYS = 100;
const keySetSchema = z.object({
  keys: z.custom<unknown[]>(
    (keys) => Array.isArray(keys) && keys.length <= MOST_KEYS,
    `expected at most ${MOST_KEYS} keys`,
  ).pipe(z.array(key).min(1)),
});

/** Asks the login host for its JWK Set. Needs no credentials. Throws what {@link Send} throws. */
export function askForKeySet(loginUrl: string, send: Send): Promise<HttpAnswer> {
  return send({ purpose: "reading the key set", url: `${loginUrl}/login/.well-known/jwks` });
}

/** Gives the JWK Set that an answer holds. Throws an `UnexpectedStatusError` or an `UnreadableAnswerError`. */
export function readKeySet(answer: HttpAnswer): JSONWebKeySet {
  if (answer.status !== 200) throw unexpectedStatus(answer);
  return readJson(answer, keySetSchema) as JSONWebKeySet;
}

/**
 * Keeps the JWK Set of a login host.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 *
 * What it gives throws what {@link askForKeySet} and {@link readKeySet} throw.
 *
 * @example
 * ```ts
 * const keys = await createKeySet("https://sod.superoffice.com", sendByFetch).get();
 * ```
 *
 * @see "Validate security tokens", https://docs.superoffice.com/en/authentication/online/validate-security-tokens.html
 */
export function createKeySet(
  loginUrl: string,
  send: Send,
  monotonicMs: () => number = () => performance.now(),
): KeySet {
  let known: { text: string; keys: LocalJWKSet; readAt: number; nothingNew: boolean } | undefined;
  let reading: Promise<LocalJWKSet> | undefined;

  async function read(): Promise<LocalJWKSet> {
    const set = readKeySet(await askForKeySet(loginUrl, send));
    const readAt = monotonicMs();
    const text = JSON.stringify(set);
    known = text === known?.text
      ? { ...known, readAt, nothingNew: true }
      : { text, keys: createLocalJWKSet(set), readAt, nothingNew: false };
    return known.keys;
  }

  function readOnce(): Promise<LocalJWKSet> {
    reading ??= read().finally(() => reading = undefined);
    return reading;
  }

  return {
    async get() {
      if (known !== undefined && monotonicMs() - known.readAt < MAX_AGE_MS) return known.keys;
      return await readOnce();
    },
    async renew(stale) {
      if (known === undefined || known.keys !== stale) return await this.get();
      if (known.nothingNew && monotonicMs() - known.readAt < NOTHING_NEW_MS) return stale;
      return await readOnce();
    },
  };
}
