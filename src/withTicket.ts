import type { Logger } from "@logtape/logtape";
import type { Clock } from "./clock.ts";
import {
  InvalidTimestampError,
  NetworkError,
  SigningError,
  TenantMovedError,
  TenantNotRunningError,
  TicketRefusedError,
} from "./errors.ts";
import { type Application, exchange } from "./exchange.ts";
import type { HttpOptions } from "./http.ts";
import type { KeySet } from "./keySet.ts";
import type { Customer } from "./loadCustomers.ts";
import { isPassing, retry } from "./retry.ts";
import { type Signer, signToken } from "./signToken.ts";
import { meaningOf, readTenantState } from "./tenantState.ts";
import type { TenantStates } from "./tenantStates.ts";
import type { Telemetry } from "./telemetry.ts";
import type { Tickets } from "./tickets.ts";
import { trustedUrl } from "./trustedHost.ts";

/** What logging on to tenants takes, and what is kept between log-ons. */
export interface Tools {
  application: Application;
  sign: Signer;
  keySet: KeySet;
  tickets: Tickets;
  states: TenantStates;
  http: HttpOptions;
  clock: Clock;
  telemetry: Telemetry;
  /** A clock in milliseconds that is never set back, for durations. */
  monotonicMs: () => number;
}

/** The way into a tenant. */
export interface Access {
  /** The tenant's address, for example `https://online3.superoffice.com/Cust12345/api`. */
  api: string;
  /** The system user ticket. A secret. */
  ticket: string;
  http: HttpOptions;
}

/**
 * Calls a tenant with its address and a ticket, and mends what can be mended: passing trouble is met with patience, a
 * refused ticket is exchanged once, a tenant that moved is looked up once, a wrong clock is corrected once.
 *
 * @param call what the call is, for the log
 * @param mayRepeat which errors of the call are worth another try
 * @param use makes the call; it may be called again, so it must throw {@link TicketRefusedError} on status 401 and
 * {@link TenantMovedError} on 421
 * @param log knows the property `customer`; each step is logged at debug level with its duration
 *
 * Throws {@link TenantNotRunningError} when the tenant takes no calls, and what the steps throw.
 *
 * @see SuperOffice's pages "Tenant status" and "Credential management"
 */
export async function withTicket<T>(
  customer: Customer,
  { application, sign, keySet, tickets, states, http, clock, telemetry, monotonicMs }: Tools,
  log: Logger,
  use: (access: Access) => Promise<T>,
  call = "tenant called",
  mayRepeat: (error: unknown) => boolean = isPassing,
): Promise<T> {
  const { contextIdentifier, systemUserToken } = customer;
  const endsAt = monotonicMs() + http.timeoutMs;

  async function step<R>(
    name: string,
    attempt: (http: HttpOptions) => Promise<R>,
    mayRepeat = isPassing,
  ): Promise<R> {
    const startedAt = monotonicMs();
    const result = await telemetry.span(
      name,
      { "superoffice.customer": contextIdentifier },
      () => retry(attempt, http, endsAt, monotonicMs, mayRepeat),
    );
    if (!log.isEnabledFor("debug")) return result;
    const ms = Math.round((monotonicMs() - startedAt) * 10) / 10;
    log.debug("{customer}: {step} in {ms} ms", { step: name, ms });
    return result;
  }

  function readState() {
    return step(
      "state read",
      async (http) => {
        const state = await readTenantState(contextIdentifier, application.loginUrl, http);
        // Before the exchange, which leaves a record in the tenant's database.
        if (state.api !== null) trustedUrl(state.api, application.loginUrl);
        return state;
      },
    );
  }

  async function signAndExchange(signedAt: Date): Promise<string> {
    const signedSystemToken = await step(
      "token signed",
      () =>
        signToken(systemUserToken, sign, signedAt).catch((cause) => {
          throw new SigningError(`The system user token could not be signed: ${cause.message}`, {
            cause,
          });
        }),
    );
    telemetry.count("exchanges");
    return await step(
      "token exchanged for a ticket",
      (http) =>
        exchange(contextIdentifier, signedSystemToken, application, keySet, clock.now, http),
    );
  }

  async function newTicket(): Promise<string> {
    const signedAt = clock.now();
    try {
      return await signAndExchange(signedAt);
    } catch (error) {
      const serverTime = error instanceof InvalidTimestampError ? error.serverTime : undefined;
      const found = serverTime && clock.correct(signedAt, serverTime);
      if (found === undefined) throw error;
      if (found.isNews) {
        const seconds = Math.abs(found.secondsAhead);
        const direction = found.secondsAhead > 0 ? "ahead of" : "behind";
        if (seconds < 60) log.info("This machine's clock is right again.");
        else {log.warn(
            "This machine's clock is {seconds} s {direction} SuperOffice's. The console goes on with the corrected " +
              "time; set the clock (timedatectl set-ntp true) and keep it right.",
            { seconds, direction },
          );}
      }
      return await signAndExchange(clock.now());
    }
  }

  let wasRefused = false;
  let hasMoved = false;
  while (true) {
    const { state, isRunning, api } = await states.get(customer, readState);
    if (!isRunning || api === null) {
      throw new TenantNotRunningError(state, meaningOf(state));
    }
    const kept = tickets.get(customer);
    if (kept !== undefined) log.debug("{customer}: ticket reused");
    const ticket = kept ?? await tickets.renew(customer, newTicket);
    try {
      const result = await step(call, (http) => use({ api, ticket, http }), mayRepeat);
      tickets.accepted(customer, ticket);
      return result;
    } catch (error) {
      if (error instanceof TicketRefusedError) {
        tickets.refused(customer, ticket);
        if (wasRefused) throw error;
        wasRefused = true;
      } else if (error instanceof TenantMovedError) {
        states.forget(customer);
        if (hasMoved) throw error;
        hasMoved = true;
      } else {
        // A host that cannot be reached may be one that the tenant has left.
        if (error instanceof NetworkError) states.forget(customer);
        throw error;
      }
    }
  }
}
