import type { Send } from "../../superoffice/http.ts";
import type { Telemetry } from "../wanted.ts";

/** How many calls were made to tenants, which SuperOffice counts and invoices. */
export interface CallCounter {
  /** Counts what is sent to tenants, whatever comes of it. */
  counted: (send: Send) => Send;
  /** Gives how many there were since it was last asked. */
  takeCount: () => number;
  /** By tenant, those that are not written yet: whoever writes them takes them out. */
  unwritten: Map<string, number>;
}

/**
 * Counts calls, each repeat as one.
 *
 * @param telemetry undefined where nobody collects any
 *
 * @see "Check application usage", https://docs.superoffice.com/en/developer-portal/analytics/metered-services.html
 */
export function createCallCounter(telemetry: Telemetry | undefined): CallCounter {
  const unwritten = new Map<string, number>();
  let count = 0;
  return {
    counted: (send) => (request) => {
      const { contextIdentifier = "" } = request;
      count++;
      unwritten.set(contextIdentifier, (unwritten.get(contextIdentifier) ?? 0) + 1);
      telemetry?.count("calls");
      return send(request);
    },
    takeCount() {
      const taken = count;
      count = 0;
      return taken;
    },
    unwritten,
  };
}
