// Who is called when, where an interval is longer than a poll's: one rule, for a console alone and for those that share the work.
import { nextMoment } from "./schedule.ts";

/** A poll's span of time, by the database's clock, in whole milliseconds. */
export interface DueWindow {
  /** From when on moments count that were in no poll yet: the start, or earlier. */
  fromMs: number;
  startMs: number;
  endMs: number;
}

/**
 * Gives when a customer is called in a poll; undefined where it is not due. Who is urgent is called at once: it is new, its row was
 * changed or its error emptied by somebody, its last try was no success, or it was left out at its moment. The others are called
 * at their moments, late ones at once.
 */
export function dueIn(
  id: string,
  isUrgent: boolean,
  { fromMs, startMs, endMs }: DueWindow,
  tenantMs: number,
): number | undefined {
  if (isUrgent) return startMs;
  const atMs = nextMoment(id, fromMs, tenantMs);
  return atMs < endMs ? Math.max(atMs, startMs) : undefined;
}

/** From when on a customer's moments count again that was called at once at `calledMs`: that stands for those of a whole interval. */
export function countsAfterCall(calledMs: number, tenantMs: number): number {
  return calledMs + tenantMs;
}

/**
 * From when on the moments count of a customer whose row says when it was last logged on to. Where that was at its moment, or late
 * by a poll or a quarter of the interval, all do that come; otherwise it was called out of its turn, which stands for the next.
 *
 * @param nowMs what is later than this says nothing: the database's clock was set back
 */
export function countsAfterSync(
  lastSyncMs: number | null,
  nowMs: number,
  tenantMs: number,
  pollMs: number,
): number {
  if (lastSyncMs === null || lastSyncMs > nowMs) return -Infinity;
  return Math.floor(lastSyncMs + tenantMs - Math.max(pollMs, tenantMs / 4));
}

/** What tells a row from what it was: its context identifier and token in one number, and whether it holds an error. */
export interface SeenRow {
  row: number;
  hasError: boolean;
}

/**
 * Whether somebody changed a customer's row, so that it is called at once.
 *
 * @param wasLoggedOn whether it was logged on to since `before`, which empties the error as well
 */
export function wasChanged(before: SeenRow, now: SeenRow, wasLoggedOn: boolean): boolean {
  return before.row !== now.row || (before.hasError && !now.hasError && !wasLoggedOn);
}
