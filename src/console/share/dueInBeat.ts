import type { BeatWindow, CutCustomer, DueCustomer } from "../../database/division.ts";
import { countsAfter, MOST_AT_START, nextMoment } from "../schedule.ts";

/** What is remembered from the last beat that this console cut. */
interface Seen {
  startMs: number;
  /** What told each row from others; a number each, since there may be a hundred thousand. */
  rows: Map<string, number>;
  /** Whose rows held an error. */
  failing: Set<string>;
}

/**
 * Makes what says who is due in a beat: each customer at its own moment, which comes every `tenantMs`; at the beat's start who is
 * new or changed, failed the last time, or was left over. At the console's start all wait for their moments, since a restart is
 * no news. The same as `scheduled` of a console alone, as far as the rows tell it: other consoles cut beats, too.
 *
 * @param beatMs from one beat's start to the next
 */
export function createDueInBeat(
  beatMs: number,
  tenantMs: number,
): (customers: CutCustomer[], beat: BeatWindow) => DueCustomer[] {
  let seen: Seen | undefined;
  let leftAtStart = MOST_AT_START;

  /** Whether nobody has called it yet as it is. */
  function isNews({ id, row, hasError, lastSyncMs, isStrange }: CutCustomer): boolean {
    if (seen === undefined) return isStrange && leftAtStart-- > 0;
    const rowBefore = seen.rows.get(id);
    if (rowBefore !== undefined && rowBefore !== row) return true;
    const isCleared = seen.failing.has(id) && !hasError;
    const isNew = rowBefore === undefined && (isStrange || lastSyncMs !== null);
    // Another console may have called it since.
    return (isNew || isCleared) && (lastSyncMs ?? -Infinity) < seen.startMs;
  }

  return (customers, { startMs, fromMs }) => {
    const due = customers.flatMap((customer) => {
      const { id, hasError, isLeftOver, lastSyncMs } = customer;
      if (isNews(customer) || hasError || isLeftOver) return [{ id, atMs: startMs }];
      const endMs = startMs + beatMs;
      // What is later says nothing: the database's clock was set back.
      const calledMs = lastSyncMs === null || lastSyncMs > endMs ? -Infinity : lastSyncMs;
      const countMs = Math.max(fromMs, countsAfter(calledMs, tenantMs, beatMs));
      const atMs = nextMoment(id, countMs, tenantMs);
      return atMs < endMs ? [{ id, atMs: Math.max(atMs, startMs) }] : [];
    }).sort((one, other) => one.atMs - other.atMs);
    seen = {
      startMs,
      rows: new Map(customers.map(({ id, row }) => [id, row])),
      failing: new Set(customers.filter(({ hasError }) => hasError).map(({ id }) => id)),
    };
    return due;
  };
}
