import type { Logger } from "@logtape/logtape";
import { callTenant, type Principal } from "./callTenant.ts";
import { SigningError } from "./errors.ts";
import { type Application, exchange } from "./exchange.ts";
import type { HttpOptions } from "./http.ts";
import type { KeySet } from "./keySet.ts";
import type { Customer } from "./loadCustomers.ts";
import { type Signer, signToken } from "./signToken.ts";
import { readTenantState } from "./tenantState.ts";

/** What logging on to any tenant takes. */
export interface Console {
  application: Application;
  sign: Signer;
  keySet: KeySet;
  http: HttpOptions;
  /** The time of day. */
  now: () => Date;
  /** A clock in milliseconds that is never set back, for durations. */
  monotonicMs: () => number;
}

/** How a log-on ended, when it did not fail: the system user is logged on, or the tenant takes no calls. */
export type LogOn = { principal: Principal } | { skipped: string };

/**
 * The whole flow for one customer: read the tenant's state, sign its system user token, exchange it for a
 * ticket, call the tenant with the ticket. Each step is logged at debug level with its duration.
 *
 * Throws a {@link ConsoleError} when a step fails.
 */
export async function logOn(
  { contextIdentifier, systemUserToken }: Customer,
  { application, sign, keySet, http, now, monotonicMs }: Console,
  /** Knows the property `customer`. */
  log: Logger,
): Promise<LogOn> {
  async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startedAt = monotonicMs();
    const result = await work();
    const ms = Math.round((monotonicMs() - startedAt) * 10) / 10;
    log.debug("{customer}: {step} in {ms} ms", { step: name, ms });
    return result;
  }

  const { state, isRunning, api } = await step(
    "state read",
    () => readTenantState(contextIdentifier, application.loginUrl, http),
  );
  if (!isRunning || api === null) return { skipped: state };

  const signedSystemToken = await step(
    "token signed",
    () =>
      signToken(systemUserToken, sign, now()).catch((cause) => {
        throw new SigningError(`The system user token could not be signed: ${cause.message}`, {
          cause,
        });
      }),
  );
  const ticket = await step(
    "token exchanged for a ticket",
    () => exchange(contextIdentifier, signedSystemToken, application, keySet, now, http),
  );
  const principal = await step(
    "tenant called",
    () => callTenant(contextIdentifier, api, ticket, application, http),
  );
  return { principal };
}
