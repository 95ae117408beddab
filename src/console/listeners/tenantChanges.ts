// What a change of a tenant does here: the console looks again. It is a hint, and destroys nothing.
import type { Logger } from "@logtape/logtape";
import type { TenantChange } from "../../superoffice/notification.ts";
import type { Kept } from "../kept/ticketRow.ts";
import type { Forgotten, TicketStore } from "../kept/ticketStore.ts";
import { createBucket } from "./bucket.ts";

/** What happened to a tenant. */
export interface Change {
  /** As SuperOffice writes it. */
  contextIdentifier: string;
  change: TenantChange;
}

/** What a change has a console do. */
export interface Effect {
  forgets: Forgotten;
  /** Whether the customer is tried at the next poll, whatever was to have it wait. */
  triesAgain: boolean;
}

/** What is said of a change, and done. The next look at the tenant's state says what is true. */
export const EFFECTS: Record<TenantChange, Effect & { says: string }> = {
  Upgrade: { says: "it is about to be upgraded", forgets: "state", triesAgain: false },
  BackupRestored: {
    says: "a backup of it was restored",
    forgets: "ticketAndState",
    triesAgain: false,
  },
  Suspend: { says: "it was suspended", forgets: "state", triesAgain: false },
  Resume: { says: "it is back", forgets: "state", triesAgain: true },
  Delete: { says: "it was deleted", forgets: "state", triesAgain: false },
  Move: { says: "it moved to another host", forgets: "state", triesAgain: false },
};

/** Heeds what happens to tenants. */
export interface TenantChanges {
  /**
   * Heeds a change a moment later, together with others; the same again a while later.
   *
   * @param isOwn whether this console was told of it by SuperOffice, and not by another console
   */
  heed(change: Change, isOwn: boolean): void;
  close(): void;
}

/** What comes within this time is done together: all that is kept is looked through for it. */
const GATHER_MS = 100;
/** How soon the same is heeded again; where it costs an exchange, which leaves a record at the customer, later. */
const AGAIN_MS = { state: 5000, ticketAndState: 60_000 };
/**
 * How many tickets are forgotten, a second and at once: one JWT that somebody caught may be posted for every tenant. Who is
 * beyond that keeps its ticket; where that went with a backup, the next call is refused and mended.
 */
const TICKETS_PER_SECOND = 2;
const TICKETS_AT_ONCE = 100;

interface Lately {
  timer: ReturnType<typeof setTimeout>;
  again: boolean;
}

/** Of how many tenants it is known that they changed lately. */
const MOST = 10_000;

/**
 * Makes what heeds changes. It is done in memory first, whatever the database does.
 *
 * @param store undefined where memory alone keeps
 * @param areBack is told who is to be tried, by their names in lower case
 * @param afterwards is given the console's own changes, once they are heeded here
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createTenantChanges(
  { tickets, states, store }: Kept & { store: TicketStore | undefined },
  areBack: (names: Iterable<string>) => void,
  afterwards: (changes: Change[]) => void,
  monotonicMs: () => number,
  log: Logger,
): TenantChanges {
  const mayForgetTicket = createBucket(TICKETS_PER_SECOND, TICKETS_AT_ONCE, monotonicMs);
  /** By their names in lower case. */
  let gathering = new Map<string, Effect>();
  let own: Change[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  /**
   * What was heeded a short while ago, and whether it has come again since: apart, since the others are to hear of what they have
   * told, too, when it comes here as well, and whoever may connect to the database can tell more than there is room for.
   */
  const latelyOf = { own: new Map<string, Lately>(), others: new Map<string, Lately>() };

  function heed(one: Change, isOwn: boolean): void {
    const { contextIdentifier, change } = one;
    const name = contextIdentifier.toLowerCase();
    const lately = isOwn ? latelyOf.own : latelyOf.others;
    const key = `${change} ${name}`;
    const before = lately.get(key);
    if (before !== undefined) return void (before.again = true);
    if (lately.size >= MOST) return;
    const { says, ...effect } = EFFECTS[change];
    const timer = setTimeout(() => {
      const again = lately.get(key)?.again;
      lately.delete(key);
      if (again) heed(one, isOwn);
    }, AGAIN_MS[effect.forgets]);
    lately.set(key, { timer, again: false });
    if (isOwn) own.push(one);
    const costsTicket = effect.forgets === "ticketAndState" && mayForgetTicket();
    const told = { customer: contextIdentifier, change };
    if (isOwn) {
      const then = `its state is read before the next call${
        costsTicket ? ", and a new ticket is made" : ""
      }`;
      log.info(`{customer}: SuperOffice says that ${says}; ${then}.`, told);
    } // Whoever may connect to the database can tell it, too, of tenants that there are not.
    else log.debug(`{customer}: another console says that ${says}.`, told);
    gather(name, { ...effect, forgets: costsTicket ? "ticketAndState" : "state" });
  }

  function gather(name: string, { forgets, triesAgain }: Effect): void {
    const before = gathering.get(name);
    gathering.set(name, {
      forgets: before?.forgets === "ticketAndState" ? before.forgets : forgets,
      triesAgain: triesAgain || (before?.triesAgain ?? false),
    });
    timer ??= setTimeout(flush, GATHER_MS);
  }

  function flush(): void {
    timer = undefined;
    const effects = gathering;
    const changes = own;
    gathering = new Map();
    own = [];
    const forgets = (what: Forgotten) => (contextIdentifier: string) =>
      effects.get(contextIdentifier.toLowerCase())?.forgets === what;
    for (const what of ["state", "ticketAndState"] as const) store?.forget(forgets(what), what);
    states.forget((contextIdentifier) => effects.has(contextIdentifier.toLowerCase()));
    tickets.forget(forgets("ticketAndState"));
    areBack([...effects].filter(([, { triesAgain }]) => triesAgain).map(([name]) => name));
    if (changes.length > 0) afterwards(changes);
  }

  return {
    heed,
    close() {
      clearTimeout(timer);
      for (const lately of Object.values(latelyOf)) {
        for (const { timer } of lately.values()) clearTimeout(timer);
      }
    },
  };
}
