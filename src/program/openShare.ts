// The parts of a console that shares the work, and of no other.
import { createShare, type Share } from "../console/share.ts";
import { createBossDivision } from "../database/bossDivision.ts";
import type { Database } from "../database/connection.ts";
import type { Customer } from "../database/loadCustomers.ts";
import type { Surroundings } from "./runProgram.ts";

/** Opens this console's share of the customers; the database is asked when the first beat begins. */
export function openShare(
  database: Database,
  load: (customerIds: string[]) => AsyncIterable<Customer[]>,
  beatMs: number,
  { explain, log }: Pick<Surroundings, "explain" | "log">,
  stop: AbortSignal,
): Share {
  const division = createBossDivision(database, beatMs / 1000, (error) => {
    log.debug("{problem}. {remedy} [{code}]", { ...explain(error) });
  });
  return createShare(division, load, beatMs, () => performance.now(), stop, { explain, log });
}
