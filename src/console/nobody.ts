import type { Logger } from "@logtape/logtape";
import type { Customer } from "../database/loadCustomers.ts";

/** Passes pages on, and says where nobody was in any of them; once, until somebody is. */
export function createNobody(
  log: Logger,
): (pages: AsyncIterable<Customer[]>) => AsyncGenerator<Customer[], void> {
  let isTold = false;
  return async function* (pages) {
    let isAnybodyHere = false;
    for await (const page of pages) {
      isAnybodyHere ||= page.length > 0;
      yield page;
    }
    if (!isAnybodyHere && !isTold) {
      log.info("No customer is active, so that there is nobody to log on to.");
    }
    isTold = !isAnybodyHere;
  };
}
