// What a console goes by that does alone: it has all the customers to itself, keeps tickets in memory, and is reached by nobody. The
// counterpart of share/openShare.ts, kept/ticketStore.ts and listeners/openListeners.ts.
import type { Logger } from "@logtape/logtape";
import type { Customer, Which } from "../database/loadCustomers.ts";
import { type Backoff, createBackoff } from "./backoff.ts";
import type { TicketStore } from "./kept/ticketStore.ts";
import type { Listeners } from "./listeners/openListeners.ts";
import type { Memory } from "./memory.ts";
import type { Intervals } from "./scheduled.ts";
import type { TicketClaims } from "./share/ticketClaims.ts";

/** How a console comes by its customers, alone or with others. */
export interface Taking {
  /** Gives those that fall to it in this poll; of those named alone, where some are. */
  customers(named: Which["only"]): AsyncGenerator<Customer[], void>;
  /** Takes nobody whose time or turn it is not. */
  noting(memory: Memory): Memory;
  /** Who was refused, and how long they are left alone. */
  backoff: Backoff;
  /** Makes a ticket where nobody else makes it. */
  claimed: TicketClaims["claimed"];
  /** Waits for the next poll's time, or for a stop; undefined where polls are counted from start to start. */
  nextBeat: (() => Promise<void>) | undefined;
  /** Gives back what is not finished; never rejects. */
  leave(): Promise<void>;
}

/**
 * Takes all customers at each poll, and asks nobody. Where customers are called more rarely than polls begin, each has its own
 * moment.
 *
 * @param load gives the active customers, or these of them
 * @param monotonicMs a clock in milliseconds that is never set back
 * @param stop ends the waiting
 */
export async function openAlone(
  { pollMs, tenantMs }: Intervals,
  load: (which: Which) => AsyncIterable<Customer[]>,
  monotonicMs: () => number,
  { log, stop }: { log: Logger; stop: AbortSignal },
): Promise<Taking> {
  const { scheduled } = tenantMs > pollMs
    ? await import("./scheduled.ts")
    : { scheduled: undefined };
  let isNobodyTold = false;

  /** Says where nobody was in any of them; once, until somebody is. */
  async function* customers(only: Which["only"]): AsyncGenerator<Customer[], void> {
    let isAnybodyHere = false;
    for await (const page of load({ only })) {
      isAnybodyHere ||= page.length > 0;
      yield page;
    }
    if (!isAnybodyHere && !isNobodyTold) {
      log.info("No customer is active, so that there is nobody to log on to.");
    }
    isNobodyTold = !isAnybodyHere;
  }

  return {
    customers,
    noting: (memory) => scheduled?.(memory, { pollMs, tenantMs }, stop, monotonicMs) ?? memory,
    backoff: createBackoff(pollMs, monotonicMs),
    claimed: (newTicket) => newTicket,
    nextBeat: undefined,
    leave: () => Promise.resolve(),
  };
}

/** Where memory alone keeps tickets and states: there is nothing to fill it from, and nothing to store. */
export const noStore: TicketStore = {
  filled: (pages) => pages,
  noted: (callTenant) => callTenant,
  settle: () => Promise.resolve(),
  flush: () => Promise.resolve(),
  forget: () => {},
  forgetStored: () => Promise.resolve(),
  claimant: "",
  idOf: () => undefined,
  adopt: () => Promise.resolve(undefined),
};

/** Where nobody reaches the console. */
export const noListeners: Listeners = {
  heeding: (memory) => memory,
  watched: (startPoll) => startPoll,
  close: () => Promise.resolve(),
};
