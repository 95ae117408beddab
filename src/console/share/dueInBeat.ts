import type { Carried, CutCustomer, Decide } from "../../database/division.ts";
import { countsAfterCall, countsAfterSync, dueIn, wasChanged } from "../due.ts";

/** For so long, in milliseconds, a console that cuts no beat meanwhile goes by what it saw, and by what others carry on. */
const KEPT_MS = 3600_000;
/** So long after its beat's start a first call's result is in the row at the latest, unless it was lost. */
const SHOWN_MS = 10_000;
/** Of more than these the next beat's console goes by the rows alone. */
const MOST_CARRIED = 1000;

/** What is remembered from the last beat that this console cut. */
interface Seen {
  startMs: number;
  /** What told each row from others; a number each, since there may be a hundred thousand. */
  rows: Map<string, number>;
  /** When those were last logged on to whose rows held an error. */
  failing: Map<string, number | null>;
}

/**
 * Makes what says who is due in a beat: each customer at its own moment, which comes every `tenantMs`; at the beat's start who is
 * new or changed, failed the last time, or was left out at its moment.
 *
 * @param beatMs from one beat's start to the next
 */
export function createDueInBeat(beatMs: number, tenantMs: number): Decide {
  let seen: Seen | undefined;
  /** Who was called at once, since the row was new or changed: which row, and when the beat began. */
  const called = new Map<string, { row: number; atMs: number }>();

  function learn(carried: Carried, startMs: number): void {
    for (const [id, row, atMs] of carried.called) {
      if (atMs > (called.get(id)?.atMs ?? -Infinity)) called.set(id, { row, atMs });
    }
    for (const [id, { atMs }] of called) if (startMs - atMs > KEPT_MS) called.delete(id);
    if (seen !== undefined && startMs - seen.startMs > KEPT_MS) seen = undefined;
  }

  /** Whether it was never tried. */
  function isNewcomer(
    { id, row, hasError, lastSyncMs }: CutCustomer,
    startMs: number,
  ): boolean {
    if (lastSyncMs !== null || hasError) return false;
    const call = called.get(id);
    // Its result may be written a moment later.
    return call?.row !== row || startMs - call.atMs > Math.max(beatMs, SHOWN_MS);
  }

  /** Whether it is active again, or its row another, and no console has called it since. */
  function isChanged({ id, row, hasError, lastSyncMs }: CutCustomer): boolean {
    if (seen === undefined) return false;
    const call = called.get(id);
    // Another console has cut a beat since.
    if (call !== undefined && call.atMs > seen.startMs) return call.row !== row;
    const rowBefore = seen.rows.get(id);
    if (rowBefore === undefined) return true;
    const lastSyncBefore = seen.failing.get(id);
    const before = { row: rowBefore, hasError: lastSyncBefore !== undefined };
    return wasChanged(before, { row, hasError }, lastSyncMs !== lastSyncBefore);
  }

  return (customers, { startMs, fromMs }, carried) => {
    learn(carried, startMs);
    const endMs = startMs + beatMs;
    const missedBefore = new Set(carried.missed);
    const missed: string[] = [];
    const news: CutCustomer[] = [];
    const due = customers.flatMap((customer) => {
      const { id, hasError, lastSyncMs, isLeftOver, isInHand, isWaiting } = customer;
      const changed = isChanged(customer);
      const isNew = changed || isNewcomer(customer, startMs);
      const isOwed = isLeftOver || missedBefore.has(id);
      const call = called.get(id);
      const countsMs = Math.max(
        fromMs,
        call === undefined ? -Infinity : countsAfterCall(call.atMs, tenantMs),
        countsAfterSync(lastSyncMs, endMs, tenantMs, beatMs),
      );
      const window = { fromMs: countsMs, startMs, endMs };
      if (isInHand) {
        if (dueIn(id, changed || isOwed, window, tenantMs) !== undefined) missed.push(id);
        return [];
      }
      if (isWaiting) return [];
      const atMs = dueIn(id, isNew || isOwed || hasError, window, tenantMs);
      if (atMs === undefined) return [];
      if (isNew) news.push(customer);
      return [{ id, atMs }];
    }).sort((one, other) => one.atMs - other.atMs);
    seen = {
      startMs,
      rows: new Map(customers.map(({ id, row }) => [id, row])),
      failing: new Map(
        customers.filter(({ hasError }) => hasError).map(({ id, lastSyncMs }) => [id, lastSyncMs]),
      ),
    };
    for (const { id, row } of news) {
      // Those called last come last.
      called.delete(id);
      called.set(id, { row, atMs: startMs });
    }
    const kept = [...called].slice(-MOST_CARRIED)
      .map(([id, { row, atMs }]): Carried["called"][number] => [id, row, atMs]);
    return { due, carried: { called: kept, missed } };
  };
}
