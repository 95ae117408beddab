// What changes of tenants have to do with the database: what it stores of them is forgotten, too, and other consoles hear of them.
import type { Logger } from "@logtape/logtape";
import type { Database } from "../../database/connection.ts";
import type { Customer } from "../../database/loadCustomers.ts";
import { forgetRefusals } from "../../database/refusals.ts";
import { findIds, tellConsoles } from "../../database/tenantChanges.ts";
import { TENANT_CHANGES } from "../../superoffice/notification.ts";
import type { TicketStore } from "../kept/ticketStore.ts";
import { sleep } from "../sleep.ts";
import type { Explanation } from "../wanted.ts";
import { type Change, EFFECTS } from "./tenantChanges.ts";

/** What others are told of changes. */
export interface OtherConsoles {
  /** Sees to it that they hear of these, as soon as the database takes it. */
  tell(changes: Change[]): void;
  /** What a text tells that came from one of them; undefined for what none of them tells. */
  understand(text: string): Change | undefined;
  /** Waits for what is under way. */
  end(): Promise<void>;
}

/** Where they are told, and what is stored there. */
export interface Stored {
  database: Database;
  /** Undefined where nothing is stored. */
  store: TicketStore | undefined;
  /** Gives the active ones of these customers. */
  load: (ids: string[]) => AsyncIterable<Customer[]>;
  /** Whether they divide the work, and store who was refused. */
  isShared: boolean;
}

/** How many are told together, and how often at most: the table is looked through for their names. */
const BATCH = 500;
const PAUSE_MS = 1000;
/** What the database did not take is tried again after this. */
const RETRY_MS = 5000;
const MOST_WAITING = 10_000;
const LONGEST_NAME = 100;

/**
 * Makes what tells the others.
 *
 * @param stop ends the trying again
 */
export function createOtherConsoles(
  { database, store, load, isShared }: Stored,
  stop: AbortSignal,
  { explain, log }: { explain: (error: unknown) => Explanation; log: Logger },
): OtherConsoles {
  const self = crypto.randomUUID();
  /** By what happened, and to whom; and whether the others have heard of it. */
  const waiting = new Map<string, { change: Change; isTold: boolean }>();
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    while (waiting.size > 0 && !stop.aborted) {
      const batch = [...waiting].slice(0, BATCH);
      for (const [key] of batch) waiting.delete(key);
      try {
        const untold = batch.filter(([, { isTold }]) => !isTold);
        await tell(untold.map(([, { change }]) => change));
        for (const [, one] of untold) one.isTold = true;
        await forget(batch.map(([, { change }]) => change));
        await sleep(PAUSE_MS, stop);
      } catch (error) {
        log.debug("{problem}. {remedy} [{code}]", { ...explain(error) });
        // What came anew meanwhile is told anew.
        for (const [key, one] of batch) if (!waiting.has(key)) waiting.set(key, one);
        await sleep(RETRY_MS, stop);
      }
    }
  }

  async function tell(changes: Change[]): Promise<void> {
    if (changes.length === 0) return;
    const texts = changes.map((change) => JSON.stringify({ from: self, ...change }));
    await tellConsoles(texts, database);
  }

  async function forget(changes: Change[]): Promise<void> {
    if (store === undefined && !isShared) return;
    const namesOf = (isMeant: (change: Change) => boolean) =>
      new Set(changes.filter(isMeant).map((one) => one.contextIdentifier.toLowerCase()));
    const all = namesOf(() => true);
    const withTicket = namesOf(({ change }) => EFFECTS[change].forgets === "ticketAndState");
    const resumed = namesOf(({ change }) => EFFECTS[change].triesAgain);
    const ids = await findIds([...all], database);
    if (ids.length === 0) return;
    for await (const page of load(ids)) {
      const isIn = (names: Set<string>) => ({ contextIdentifier }: Customer) =>
        names.has(contextIdentifier.toLowerCase());
      const isWithTicket = isIn(withTicket);
      await store?.forgetStored(page.filter(isWithTicket), "ticketAndState");
      await store?.forgetStored(page.filter((customer) => !isWithTicket(customer)), "state");
      const tried = page.filter(isIn(resumed)).map(({ id }) => id);
      if (isShared && tried.length > 0) await forgetRefusals(tried, database);
    }
  }

  return {
    tell(changes) {
      for (const one of changes) {
        if (waiting.size >= MOST_WAITING) break;
        const key = `${one.change} ${one.contextIdentifier.toLowerCase()}`;
        waiting.set(key, { change: one, isTold: false });
      }
      working ??= work().finally(() => working = undefined);
    },
    understand(text) {
      const told = readTelling(text);
      return told?.from === self ? undefined : told;
    },
    end: async () => await working,
  };
}

/** Undefined for what no console tells: anybody who may connect to the database can tell something. */
function readTelling(text: string): Change & { from: string } | undefined {
  let told: { from?: unknown; contextIdentifier?: unknown; change?: unknown } | null;
  try {
    told = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { from, contextIdentifier, change: name } = told ?? {};
  const change = TENANT_CHANGES.find((change) => change === name);
  const isRight = typeof from === "string" && typeof contextIdentifier === "string" &&
    contextIdentifier !== "" && contextIdentifier.length <= LONGEST_NAME;
  return isRight && change !== undefined ? { from, contextIdentifier, change } : undefined;
}
