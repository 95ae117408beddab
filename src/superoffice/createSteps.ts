import { callTenant } from "./callTenant.ts";
import { SigningError } from "./errors.ts";
import { exchange } from "./exchange.ts";
import type { Send } from "./http.ts";
import { createKeySet, type KeySet } from "./keySet.ts";
import type { CallTenant, Exchange, ReadTenantState, SignToken } from "./logOn.ts";
import { type Signer, signToken } from "./signToken.ts";
import type { Application, Tenant } from "./tenant.ts";
import { readTenantState } from "./tenantState.ts";

/** The steps of a log-on, each a plain function of the tenant. */
export interface Steps {
  readTenantState: ReadTenantState;
  signToken: SignToken;
  exchange: Exchange;
  callTenant: CallTenant;
}

/**
 * Makes the steps of a log-on: nothing is tried twice, and nothing is kept but the login host's public keys.
 *
 * @param sign signs with the application's private key; `createSigner` makes one from a key
 * @param send sends one request; `sendByFetch` does
 * @param now the time of day, for the JWT's times
 * @param keySet where the login host's public keys come from
 *
 * They throw what `readTenantState`, `exchange` and `callTenant` throw; signing throws {@link SigningError}.
 *
 * @example
 * ```ts
 * const steps = createSteps(application, createSigner(privateKey), sendByFetch, () => new Date());
 * const { api } = await steps.readTenantState({ contextIdentifier: "Cust12345" });
 * ```
 */
export function createSteps(
  application: Application,
  sign: Signer,
  send: Send,
  now: () => Date,
  keySet: KeySet = createKeySet(application.loginUrl, send),
): Steps {
  return {
    readTenantState: ({ contextIdentifier }) =>
      readTenantState(contextIdentifier, application.loginUrl, send),
    async signToken({ systemUserToken }: Tenant, now: Date) {
      try {
        return await signToken(systemUserToken, sign, now);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new SigningError(`The system user token could not be signed: ${reason}`, { cause });
      }
    },
    exchange: ({ contextIdentifier }, signedSystemToken) =>
      exchange(contextIdentifier, signedSystemToken, application, keySet, now, send),
    callTenant: ({ contextIdentifier }, access, request) =>
      callTenant(access, request, application, send, contextIdentifier),
  };
}
