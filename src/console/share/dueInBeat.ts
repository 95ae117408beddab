import type { BeatWindow, CutCustomer, DueCustomer } from "../../database/division.ts";
import { nextMoment } from "../schedule.ts";

/**
 * Makes what says who is due in a beat: each customer at its own moment, which comes every `tenantMs`; at the beat's start who was
 * never logged on to, failed the last time, is new or changed.
 *
 * @param beatMs from one beat's start to the next
 */
export function createDueInBeat(
  beatMs: number,
  tenantMs: number,
): (customers: CutCustomer[], beat: BeatWindow) => DueCustomer[] {
  /** The rows at the last beat that was asked about; a number each, since there may be a hundred thousand. */
  let rows: Map<string, number> | undefined;
  return (customers, { startMs, fromMs }) => {
    const rowsBefore = rows;
    rows = new Map(customers.map(({ id, row }) => [id, row]));
    return customers.flatMap(({ id, row, isUrgent }) => {
      if (isUrgent || (rowsBefore !== undefined && rowsBefore.get(id) !== row)) {
        return [{ id, atMs: startMs }];
      }
      const atMs = nextMoment(id, fromMs, tenantMs);
      return atMs < startMs + beatMs ? [{ id, atMs: Math.max(atMs, startMs) }] : [];
    }).sort((one, other) => one.atMs - other.atMs);
  };
}
