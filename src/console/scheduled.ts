import type { Customer } from "../database/loadCustomers.ts";
import { createAlarm } from "./alarm.ts";
import { countsAfterCall, countsAfterSync, dueIn, wasChanged } from "./due.ts";
import type { Memory } from "./memory.ts";

/** What is known of a customer; little, since there may be a hundred thousand. */
interface Known {
  /** The poll that found it last. */
  seenIn: number;
  /** What tells its row's context identifier and token from others. */
  row: number;
  /** From when on its moments count, by the database's clock: those before were looked at, or a call stands for them. */
  fromMs: number;
  /** Whether it is to be called at the next poll, whatever its moment. */
  isOwed: boolean;
  /** Whether it is in hand and no success yet. */
  isTried: boolean;
  /** Whether it was in hand when it was due again. */
  isMissed: boolean;
  /** Whether its row held an error from before it was first called. */
  hadError: boolean;
}

/** How often polls begin, and customers are called. */
export interface Intervals {
  /** From one poll's start to the next, in milliseconds. */
  pollMs: number;
  /** From one call of a customer to the next while nothing about it changes; as long as that at least. */
  tenantMs: number;
}

/** How many that were never logged on to are called as soon as the console is started, so that a newcomer sees something. */
const MOST_AT_START = 10;

/**
 * Has each customer called at its own moment, which comes every `tenantMs`. It is called at once where it is new, its row changed,
 * or somebody cleared its error; and at the next poll as long as its last try was no success. Such a call stands for the moments of
 * an interval. At the process's start all wait for their moments, since a restart is no news.
 *
 * @param stop ends the waiting
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function scheduled(
  memory: Memory,
  { pollMs, tenantMs }: Intervals,
  stop: AbortSignal,
  monotonicMs: () => number,
): Memory {
  const customers = new Map<string, Known>();
  const waitFor = createAlarm(Math.max(1, pollMs / 1000), stop, monotonicMs);
  let polls = 0;
  let startedMs = 0;
  let isAnyComplete = false;
  let leftAtStart = MOST_AT_START;

  /** Whether it is to be called now, whatever its moment. */
  function isUrgent({ hasError }: Customer, known: Known, row: number): boolean {
    const before = { row: known.row, hasError: known.hadError };
    const isChanged = wasChanged(before, { row, hasError }, false);
    known.hadError &&= hasError;
    known.row = row;
    return known.isOwed || isChanged;
  }

  /** Whether one that was not there before is called now. */
  function isCalledFirst({ lastSync }: Customer): boolean {
    return isAnyComplete || (lastSync === null && leftAtStart-- > 0);
  }

  function momentOf(customer: Customer): Promise<void> | "notDue" | undefined {
    const { id, databaseAheadMs, hasError, lastSync } = customer;
    const row = hashOf(customer);
    const startMs = Math.floor(databaseAheadMs + startedMs);
    const endMs = Math.floor(startMs + pollMs);
    let known = customers.get(id);
    let isNow: boolean;
    if (known === undefined) {
      isNow = isCalledFirst(customer);
      const lastSyncMs = lastSync && lastSync.getTime();
      // Field by field: one made of others takes three times the memory.
      known = {
        seenIn: polls,
        row,
        fromMs: Math.max(startMs, countsAfterSync(lastSyncMs, endMs, tenantMs, pollMs)),
        isOwed: false,
        isTried: false,
        isMissed: false,
        hadError: hasError,
      };
      customers.set(id, known);
    } else {
      isNow = isUrgent(customer, known, row);
      // The database's clock was set back.
      if (known.fromMs > startMs + tenantMs + pollMs) known.fromMs = startMs;
    }
    const atMs = dueIn(id, isNow, { fromMs: known.fromMs, startMs, endMs }, tenantMs);
    known.fromMs = Math.max(known.fromMs, isNow ? countsAfterCall(startMs, tenantMs) : endMs);
    known.seenIn = polls;
    if (atMs === undefined) return "notDue";
    const waitMs = atMs - databaseAheadMs - monotonicMs();
    return isNow || waitMs <= 0 ? undefined : waitFor(waitMs);
  }

  return {
    ...memory,
    momentOf,
    take(customer) {
      const taken = memory.take(customer);
      const known = customers.get(customer.id)!;
      known.isMissed = taken === "stillInHand";
      known.isTried ||= taken === "taken";
      // One that was refused, and is too early to be tried, is due at the next poll as well.
      known.isOwed = taken === "waiting";
      return taken;
    },
    succeeded(customer) {
      const known = customers.get(customer.id);
      if (known !== undefined) known.isTried = known.hadError = false;
      memory.succeeded(customer);
    },
    failed(customer, error, startedAtMs) {
      // Also what fails when all seemed to have ended well.
      const known = customers.get(customer.id);
      if (known !== undefined) known.isOwed = true;
      return memory.failed(customer, error, startedAtMs);
    },
    giveBack(customer, wasBegun) {
      const known = customers.get(customer.id);
      if (known !== undefined) {
        known.isOwed ||= known.isTried || known.isMissed;
        known.isTried = known.isMissed = false;
      }
      memory.giveBack(customer, wasBegun);
    },
    callRoll() {
      const roll = memory.callRoll();
      const poll = ++polls;
      startedMs = monotonicMs();
      return {
        isHere: roll.isHere,
        complete() {
          roll.complete();
          isAnyComplete = true;
          for (const [id, { seenIn }] of customers) if (seenIn < poll) customers.delete(id);
        },
      };
    },
  };
}

/** The same for the same row, and for others hardly ever (FNV-1a). */
function hashOf({ contextIdentifier, systemUserToken }: Customer): number {
  const text = `${contextIdentifier} ${systemUserToken}`;
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  // As many bits as take no memory of their own.
  return hash & 0x3fffffff;
}
