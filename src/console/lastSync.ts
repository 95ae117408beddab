import type { Logger } from "@logtape/logtape";
import type { Customer } from "../database/loadCustomers.ts";

/**
 * Makes what gives a work script its `lastSync`. Where the table does not keep it, that is null, and said once: to who asks,
 * since other scripts do not need it.
 */
export function createLastSync(): (
  customer: Pick<Customer, "lastWork">,
  log: Logger,
) => Date | null {
  let isTold = false;
  return ({ lastWork }, log) => {
    if (!(lastWork instanceof Error)) return lastWork;
    if (!isTold) {
      const { message, remedy } = lastWork;
      log.warn(
        "The work script asks for lastSync, and gets null each time, so that it begins afresh each time: {problem}. {remedy}",
        { problem: message, remedy },
      );
    }
    isTold = true;
    return null;
  };
}
