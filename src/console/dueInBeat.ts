import type { CutCustomer, DueCustomer } from "../database/division.ts";
import { nextMoment } from "./schedule.ts";

/**
 * Makes what says who is due in a beat: each customer at its own moment, which comes every `tenantMs`; at the beat's start who was
 * never logged on to, failed the last time, is new or changed.
 *
 * @param beatMs from one beat's start to the next
 */
export function createDueInBeat(
  beatMs: number,
  tenantMs: number,
): (customers: CutCustomer[], beatStartMs: number) => DueCustomer[] {
  /** The rows at the last beat that was asked about; a number each, since there may be a hundred thousand. */
  let rows: Map<string, number> | undefined;
  return (customers, beatStartMs) => {
    const rowsBefore = rows;
    rows = new Map(customers.map(({ id, row }) => [id, row]));
    return customers.flatMap(({ id, row, isUrgent }) => {
      if (isUrgent || (rowsBefore !== undefined && rowsBefore.get(id) !== row)) {
        return [{ id, atMs: beatStartMs }];
      }
      const atMs = nextMoment(id, beatStartMs, tenantMs);
      return atMs < beatStartMs + beatMs ? [{ id, atMs }] : [];
    }).sort((one, other) => one.atMs - other.atMs);
  };
}
