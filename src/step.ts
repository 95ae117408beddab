import type { Logger } from "@logtape/logtape";
import type { Clock } from "./clock.ts";
import type { Application } from "./exchange.ts";
import type { HttpOptions } from "./http.ts";
import type { KeySet } from "./keySet.ts";
import type { Customer } from "./loadCustomers.ts";
import { isPassing, retry } from "./retry.ts";
import type { Signer } from "./signToken.ts";
import type { Telemetry } from "./telemetry.ts";
import type { TenantStates } from "./tenantStates.ts";
import type { Tickets } from "./tickets.ts";

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

/** What the steps of one customer's log-on share. */
export interface LogOn {
  customer: Customer;
  tools: Tools;
  /** Knows the property `customer`. */
  log: Logger;
  /** When the customer's own time is over, by `tools.monotonicMs`. */
  endsAt: number;
}

/**
 * Takes one step of a log-on, with {@link retry}'s patience, inside a span of its own; its duration is logged at debug
 * level. Throws what `attempt` throws.
 *
 * @param name what the step is, for the log
 * @param mayRepeat which errors are worth another try
 */
export async function takeStep<T>(
  { customer, tools: { http, telemetry, monotonicMs }, log, endsAt }: LogOn,
  name: string,
  attempt: (http: HttpOptions) => Promise<T>,
  mayRepeat: (error: unknown) => boolean = isPassing,
): Promise<T> {
  const startedAt = monotonicMs();
  const result = await telemetry.span(
    name,
    { "superoffice.customer": customer.contextIdentifier },
    () => retry(attempt, http, endsAt, monotonicMs, mayRepeat),
  );
  if (log.isEnabledFor("debug")) {
    const ms = Math.round((monotonicMs() - startedAt) * 10) / 10;
    log.debug("{customer}: {step} in {ms} ms", { step: name, ms });
  }
  return result;
}
