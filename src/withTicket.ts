import type { Logger } from "@logtape/logtape";
import {
  NetworkError,
  TenantMovedError,
  TenantNotRunningError,
  TicketRefusedError,
} from "./errors.ts";
import type { HttpOptions } from "./http.ts";
import type { Customer } from "./loadCustomers.ts";
import { newTicket } from "./newTicket.ts";
import { type LogOn, takeStep, type Tools } from "./step.ts";
import { meaningOf, readTenantState, type TenantState } from "./tenantState.ts";
import { trustedUrl } from "./trustedHost.ts";

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
 * @param mayRepeat which errors of the call are worth another try; what may pass by itself where it is not said
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
  tools: Tools,
  log: Logger,
  use: (access: Access) => Promise<T>,
  call = "tenant called",
  mayRepeat?: (error: unknown) => boolean,
): Promise<T> {
  const { tickets, states, http, monotonicMs } = tools;
  const logOn: LogOn = { customer, tools, log, endsAt: monotonicMs() + http.timeoutMs };
  let wasRefused = false;
  let hasMoved = false;
  while (true) {
    const { state, isRunning, api } = states.get(customer) ??
      await states.renew(customer, () => readState(logOn));
    if (!isRunning || api === null) {
      throw new TenantNotRunningError(state, meaningOf(state));
    }
    const kept = tickets.get(customer);
    if (kept !== undefined) log.debug("{customer}: ticket reused");
    const ticket = kept ?? await tickets.renew(customer, () => newTicket(logOn));
    try {
      const result = await takeStep(logOn, call, (http) => use({ api, ticket, http }), mayRepeat);
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

function readState(logOn: LogOn): Promise<TenantState> {
  const { contextIdentifier } = logOn.customer;
  const { loginUrl } = logOn.tools.application;
  return takeStep(logOn, "state read", async (http) => {
    const state = await readTenantState(contextIdentifier, loginUrl, http);
    // Before the exchange, which leaves a record in the tenant's database.
    if (state.api !== null) trustedUrl(state.api, loginUrl);
    return state;
  });
}
