// The parts of a console that shares the work, and of no other.
import type { Logger } from "@logtape/logtape";
import type { Taking } from "../alone.ts";
import { createDueInBeat } from "./dueInBeat.ts";
import { createShare } from "./share.ts";
import { createSharedBackoff } from "./sharedBackoff.ts";
import { createTicketClaims } from "./ticketClaims.ts";
import type { TicketStore } from "../kept/ticketStore.ts";
import type { Turns } from "../turns/turns.ts";
import { createBossDivision } from "../../database/bossDivision.ts";
import type { Database } from "../../database/connection.ts";
import type { Customer } from "../../database/loadCustomers.ts";
import type { Intervals } from "../scheduled.ts";
import type { Explanation } from "../wanted.ts";

/** What a share takes from around it. */
export interface ShareSurroundings {
  explain: (error: unknown) => Explanation;
  log: Logger;
  /** Gives back at once what is not begun. */
  stop: AbortSignal;
  /** Ends what is under way. */
  giveUp: AbortSignal;
}

/**
 * Opens this console's share of the customers; the database is asked when the first beat begins.
 *
 * @param isOnce whether all are due in the one beat that there is
 * @param load gives the active ones of these customers
 */
export function openShare(
  { pollMs: beatMs, tenantMs }: Intervals,
  isOnce: boolean,
  database: Database,
  store: TicketStore,
  load: (customerIds: string[]) => AsyncIterable<Customer[]>,
  { wait }: Turns,
  { explain, log, stop, giveUp }: ShareSurroundings,
): Taking {
  const tellTrouble = (error: Error) =>
    log.debug("{problem}. {remedy} [{code}]", { ...explain(error) });
  const decide = isOnce || tenantMs === beatMs ? undefined : createDueInBeat(beatMs, tenantMs);
  const rhythm = { beatSeconds: beatMs / 1000, tenantSeconds: tenantMs / 1000 };
  const division = createBossDivision(database, rhythm, tellTrouble, decide);
  const monotonicMs = () => performance.now();
  const intervals = { pollMs: beatMs, tenantMs };
  const share = createShare(division, load, intervals, monotonicMs, stop, { explain, log });
  const backoff = createSharedBackoff(beatMs, database, { explain, log });
  const claims = createTicketClaims(store, database, wait, giveUp);
  return {
    ...share,
    async leave() {
      await Promise.all([backoff.flush(), claims.end()]);
      await share.leave();
    },
    backoff,
    claimed: claims.claimed,
  };
}
