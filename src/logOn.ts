import type { Logger } from "@logtape/logtape";
import { callTenant, type Principal } from "./callTenant.ts";
import type { Customer } from "./loadCustomers.ts";
import type { Tools } from "./step.ts";
import { withTicket } from "./withTicket.ts";

/** A log-on that worked. */
export interface LoggedOn {
  principal: Principal;
  /** The tenant's address, for example `https://online3.superoffice.com/Cust12345/api`. */
  api: string;
  /** The system user ticket. A secret. */
  ticket: string;
}

/**
 * Logs on to a customer's tenant: asks it, with a ticket, who the system user is.
 * Throws what {@link withTicket} and {@link callTenant} throw.
 */
export async function logOn(customer: Customer, tools: Tools, log: Logger): Promise<LoggedOn> {
  const { contextIdentifier } = customer;
  return await withTicket(
    customer,
    tools,
    log,
    async ({ api, ticket, http }) => {
      const principal = await callTenant(contextIdentifier, api, ticket, tools.application, http);
      return { principal, api, ticket };
    },
  );
}
