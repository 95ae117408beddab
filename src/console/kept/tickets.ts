import type { Logger } from "@logtape/logtape";
import type { Call, GetTicket, LogOn } from "../../superoffice/logOn.ts";
import type { Access, Tenant } from "../../superoffice/tenant.ts";
import { createKeeper, type Found } from "./keeper.ts";

/** The system user tickets that are still good, kept in memory between polls. */
export interface Tickets {
  /** Gives the ticket that is kept, where it was made with this token and is not about to expire; else makes a new one. */
  kept(newTicket: GetTicket): GetTicket;
  /** The ticket that is kept for the tenant and its token, with the time until which it is good. */
  find(tenant: Tenant): Found<string> | undefined;
  /** Keeps one that was made elsewhere and is good for `leftMs` milliseconds more. */
  put(tenant: Tenant, ticket: string, leftMs: number): void;
  /** A ticket's time starts anew when the tenant accepted it. */
  renewedByUse(call: Call): Call;
  /** Drops the very ticket that was refused: another may have taken its place. */
  drop(tenant: Tenant, refused: Pick<Access, "ticket">): void;
  /** Keeps no ticket of these tenants any longer, nor one that is being made just now. */
  forget(isOne: (contextIdentifier: string) => boolean): void;
  /** Forgets the tenant's ticket before each log-on, so that it exchanges for a new one. */
  forgottenBefore(logOn: LogOn): LogOn;
}

/** A ticket lives 6 hours from its last use; one that has less than 5 minutes left is not used any more. */
export const TICKET_LIFETIME_MS = (6 * 60 - 5) * 60 * 1000;

/**
 * Keeps tickets. At most one exchange is under way for a tenant and its token, however many ask.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 * @see SuperOffice's page "Credential management"
 */
export function createTickets(monotonicMs: () => number, log: Logger): Tickets {
  const keeper = createKeeper<string>(() => TICKET_LIFETIME_MS, TICKET_LIFETIME_MS, monotonicMs);
  const isSaid = log.isEnabledFor("debug");
  const find = ({ contextIdentifier, systemUserToken }: Tenant) =>
    keeper.find(contextIdentifier, systemUserToken);
  return {
    kept: (newTicket) => (tenant) => {
      const { contextIdentifier, systemUserToken } = tenant;
      const ticket = find(tenant);
      if (ticket === undefined) {
        return keeper.make(contextIdentifier, systemUserToken, () => newTicket(tenant));
      }
      if (isSaid) log.debug("{customer}: ticket reused", { customer: contextIdentifier });
      return Promise.resolve(ticket.value);
    },
    find,
    put: ({ contextIdentifier, systemUserToken }, ticket, leftMs) =>
      keeper.put(contextIdentifier, systemUserToken, ticket, leftMs),
    renewedByUse: (call) => async (tenant, request) => {
      const called = await call(tenant, request);
      if (called.answer.status < 400) {
        keeper.renew(tenant.contextIdentifier, (ticket) => ticket === called.ticket);
      }
      return called;
    },
    drop({ contextIdentifier }, refused) {
      keeper.drop(contextIdentifier, (ticket) => ticket === refused.ticket);
    },
    forget: keeper.forget,
    forgottenBefore: (logOn) => (tenant) => {
      keeper.drop(tenant.contextIdentifier, () => true);
      return logOn(tenant);
    },
  };
}
