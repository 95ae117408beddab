import { createLocalJWKSet, type JSONWebKeySet, type LocalJWKSet } from "jose";
import { z } from "zod";
import { type HttpOptions, readJson, unexpectedStatus } from "./http.ts";

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

const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

/**
 * Keeps the JWK Set of a login host.
 *
 * @param monotonicMs a clock in milliseconds that is never set back, such as `performance.now`
 * @see SuperOffice's page "Validate security tokens" (PROTOCOL.md §4)
 */
export function createKeySet(
  loginUrl: string,
  http: HttpOptions,
  monotonicMs: () => number,
): KeySet {
  let known: { text: string; keys: LocalJWKSet; readAt: number; nothingNew: boolean } | undefined;
  let reading: Promise<LocalJWKSet> | undefined;

  async function read(): Promise<LocalJWKSet> {
    const answer = await http.send({
      purpose: "reading the key set",
      url: `${loginUrl}/login/.well-known/jwks`,
    }, http);
    if (answer.status !== 200) throw unexpectedStatus(answer);
    const set = readJson(answer, keySetSchema);
    const readAt = monotonicMs();
    const text = JSON.stringify(set);
    known = text === known?.text
      ? { ...known, readAt, nothingNew: true }
      : { text, keys: createLocalJWKSet(set as JSONWebKeySet), readAt, nothingNew: false };
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
