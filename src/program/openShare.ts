// The parts of a console that shares the work, and of no other.
import type { Backoff } from "../console/backoff.ts";
import { createDueInBeat } from "../console/dueInBeat.ts";
import { createShare, type Share } from "../console/share.ts";
import { createSharedBackoff } from "../console/sharedBackoff.ts";
import { type Claimed, createTicketClaims } from "../console/ticketClaims.ts";
import type { TicketStore } from "../console/ticketStore.ts";
import type { Turns } from "../console/turns.ts";
import { createBossDivision } from "../database/bossDivision.ts";
import type { Database } from "../database/connection.ts";
import type { Customer } from "../database/loadCustomers.ts";
import type { Surroundings } from "./runProgram.ts";
import type { RunSettings } from "./settings.ts";

/** What a console that shares the work goes by. */
export interface OpenShare extends Share {
  /** Known to all consoles. */
  backoff: Backoff;
  claimed: Claimed;
}

/**
 * Opens this console's share of the customers; the database is asked when the first beat begins.
 *
 * @param load gives the active ones of these customers
 */
export function openShare(
  { pollMs: beatMs, tenantMs, requestTimeoutMs }: Pick<
    RunSettings,
    "pollMs" | "tenantMs" | "requestTimeoutMs"
  >,
  database: Database,
  store: TicketStore,
  load: (customerIds: string[]) => AsyncIterable<Customer[]>,
  { wait }: Turns,
  { explain, log, stop, giveUp }: Surroundings,
): OpenShare {
  const tellTrouble = (error: Error) =>
    log.debug("{problem}. {remedy} [{code}]", { ...explain(error) });
  const dueAt = tenantMs === beatMs ? undefined : createDueInBeat(beatMs, tenantMs);
  const division = createBossDivision(database, beatMs / 1000, tellTrouble, dueAt);
  const monotonicMs = () => performance.now();
  const share = createShare(division, load, beatMs, monotonicMs, stop, { explain, log });
  const backoff = createSharedBackoff(beatMs, database, { explain, log });
  return {
    ...share,
    async leave() {
      await backoff.flush();
      await share.leave();
    },
    backoff,
    claimed: createTicketClaims(store, database, requestTimeoutMs, wait, giveUp),
  };
}
