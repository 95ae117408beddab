import type { Database } from "../../database/connection.ts";
import { claimTickets, releaseTickets } from "../../database/ticketClaims.ts";
import type { GetTicket } from "../../superoffice/logOn.ts";
import { gathered } from "./gathered.ts";
import type { TicketStore } from "../kept/ticketStore.ts";
import type { Wait } from "../turns/turns.ts";

/** Sees to it that of consoles which share the work one alone makes a tenant's next ticket. */
export interface TicketClaims {
  claimed(newTicket: GetTicket): GetTicket;
  /** Gives back what is still to be given back, and renews nothing any more. */
  end(): Promise<void>;
}

/** Questions that come within this time go to the database together. */
const GATHER_MS = 10;
/** How often it is looked whether another console has made the ticket. */
const LOOK_MS = 500;
/** For how long the right of a console that died holds, and how often one that lives renews it. */
const HOLD_MS = 10_000;
const RENEW_MS = 3000;

/**
 * Takes the right to make a ticket before one is made, and looks then whether another console has made it meanwhile. Where the
 * database does not answer, one is made without asking.
 *
 * @param wait waits for the tenant named
 * @param giveUp ends what is under way
 */
export function createTicketClaims(
  { claimant, idOf, adopt }: Pick<TicketStore, "claimant" | "idOf" | "adopt">,
  database: Database,
  wait: Wait,
  giveUp: AbortSignal,
): TicketClaims {
  const own = new Set<string>();
  const askFor = (ids: string[]) => claimTickets(ids, claimant, HOLD_MS, database);
  const claim = gathered(askFor, GATHER_MS);
  const release = gathered(async (ids) => {
    // It ends by itself where it cannot be given back.
    await releaseTickets(ids, claimant, database).catch(() => {});
    return new Map<string, void>();
  }, GATHER_MS);
  const releasing = new Set<Promise<unknown>>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  function giveBack(id: string): void {
    own.delete(id);
    const released = release(id).finally(() => releasing.delete(released));
    releasing.add(released);
  }

  /** As long as tickets are being made. */
  function renewSoon(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (own.size === 0) return;
      askFor([...own]).catch(() => {});
      renewSoon();
    }, RENEW_MS);
  }

  return {
    claimed: (newTicket) => async (tenant) => {
      const id = idOf(tenant);
      if (id === undefined) return await newTicket(tenant);
      let sealed: Uint8Array<ArrayBuffer> | null | undefined;
      while ((sealed = await claim(id).catch(() => null)) === undefined) {
        await wait(tenant.contextIdentifier, LOOK_MS, giveUp);
        giveUp.throwIfAborted();
      }
      const made = sealed === null ? undefined : await adopt(tenant, sealed);
      if (made !== undefined) {
        giveBack(id);
        return made;
      }
      own.add(id);
      renewSoon();
      try {
        const ticket = await newTicket(tenant);
        // To be stored is what gives the right back.
        own.delete(id);
        return ticket;
      } catch (error) {
        giveBack(id);
        throw error;
      }
    },
    async end() {
      clearTimeout(timer);
      await Promise.all(releasing);
    },
  };
}
