import type { Logger } from "@logtape/logtape";
import { callTenant, type Principal } from "./callTenant.ts";
import type { Customer } from "./loadCustomers.ts";
import { type Tools, withTicket } from "./withTicket.ts";

/**
 * Logs on to a customer's tenant: asks it, with a ticket, who the system user is.
 * Throws what {@link withTicket} and {@link callTenant} throw.
 */
export async function logOn(customer: Customer, tools: Tools, log: Logger): Promise<Principal> {
  return await withTicket(
    customer,
    tools,
    log,
    ({ api, ticket, http }) =>
      callTenant(customer.contextIdentifier, api, ticket, tools.application, http),
  );
}
