import type { Database } from "../database/connection.ts";
import { claimTickets, releaseTickets } from "../database/ticketClaims.ts";
import type { GetTicket } from "../superoffice/logOn.ts";
import { gathered } from "./gathered.ts";
import type { TicketStore } from "./ticketStore.ts";
import type { Wait } from "./turns.ts";

/** Sees to it that of consoles which share the work one alone makes a tenant's next ticket. */
export type Claimed = (newTicket: GetTicket) => GetTicket;

/** Questions that come within this time go to the database together. */
const GATHER_MS = 10;
/** How often it is looked whether another console has made the ticket. */
const LOOK_MS = 500;
/** For how long the right holds of a console that died, without the time that its requests may take. */
const LEAST_HOLD_MS = 15_000;

/**
 * Takes the right to make a ticket before one is made, and looks then whether another console has made it meanwhile. Where the
 * database does not answer, one is made without asking.
 *
 * @param requestTimeoutMs how long one request may take with its repeats
 * @param wait waits for the tenant named
 * @param giveUp ends what is under way
 */
export function createTicketClaims(
  store: Pick<TicketStore, "idOf" | "adopt">,
  database: Database,
  requestTimeoutMs: number,
  wait: Wait,
  giveUp: AbortSignal,
): Claimed {
  const claim = gathered(
    // Longer than a token is held back, and an exchange takes.
    (ids) => claimTickets(ids, LEAST_HOLD_MS + 2 * requestTimeoutMs, database),
    GATHER_MS,
  );
  const release = gathered(async (ids) => {
    // It ends by itself where it cannot be given back.
    await releaseTickets(ids, database).catch(() => {});
    return new Map<string, void>();
  }, GATHER_MS);

  return (newTicket) => async (tenant) => {
    const id = store.idOf(tenant);
    if (id === undefined) return await newTicket(tenant);
    let claimed: Uint8Array<ArrayBuffer> | null | undefined;
    while ((claimed = await claim(id).catch(() => null)) === undefined) {
      await wait(tenant.contextIdentifier, LOOK_MS, giveUp);
      giveUp.throwIfAborted();
    }
    const made = claimed === null ? undefined : await store.adopt(tenant, claimed);
    if (made !== undefined) {
      void release(id);
      return made;
    }
    try {
      // To be stored is what gives the right back.
      return await newTicket(tenant);
    } catch (error) {
      void release(id);
      throw error;
    }
  };
}
