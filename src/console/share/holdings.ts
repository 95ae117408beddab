import type { Batch } from "../../database/division.ts";

/** A batch that this console has. */
export interface Holding {
  batch: Batch;
  /** Those that are not finished, by their rows' ids. */
  left: Set<string>;
  /** Those of them that are not begun. */
  waiting: Set<string>;
  takenMs: number;
  /** When the claim was last renewed, at the earliest. */
  renewedMs: number;
  /** Whether its batch is being divided, so that its claim is about to be another one. */
  isDividing: boolean;
}

/** The batches that this console has, and who in them is to be begun yet, or finished. */
export interface Holdings {
  all(): Holding[];
  take(batch: Batch, takenMs: number): Holding;
  /** Who holds the customer; undefined where this console does not, or not any more. */
  of(customerId: string): Holding | undefined;
  begin(customerId: string): void;
  /** Says that a customer that was to begin did not. */
  leave(customerId: string): void;
  /** Says that a customer is finished, or not there. */
  finish(customerId: string): void;
  /** Says that others have the customers meanwhile. */
  lose(holding: Holding, customerIds: Iterable<string>): void;
  /** Gives those that are finished, and not told as such yet. */
  finished(): Batch[];
  told(batches: Batch[]): void;
  /** Says that a batch was divided, and has another claim; none where it is lost. */
  divided(holding: Holding, batch: Batch | undefined): void;
}

/** Keeps book, and does nothing. */
export function createHoldings(): Holdings {
  const held = new Set<Holding>();
  const byCustomer = new Map<string, Holding>();
  let finished: Batch[] = [];

  function lookWhetherFinished(holding: Holding): void {
    if (holding.left.size > 0 || holding.isDividing || !held.delete(holding)) return;
    finished.push(holding.batch);
  }

  function lose(holding: Holding, customerIds: Iterable<string>): void {
    for (const id of [...customerIds]) {
      holding.left.delete(id);
      holding.waiting.delete(id);
      if (byCustomer.get(id) === holding) byCustomer.delete(id);
    }
  }

  function drop(holding: Holding): void {
    lose(holding, holding.left);
    held.delete(holding);
  }

  return {
    all: () => [...held],
    take(batch, takenMs) {
      // What is had again was lost before, be it that nobody has said so yet.
      for (const other of held) if (other.batch.claim.id === batch.claim.id) drop(other);
      const holding: Holding = {
        batch,
        left: new Set(batch.customerIds),
        waiting: new Set(batch.customerIds),
        takenMs,
        renewedMs: takenMs,
        isDividing: false,
      };
      held.add(holding);
      for (const id of batch.customerIds) byCustomer.set(id, holding);
      return holding;
    },
    of: (customerId) => byCustomer.get(customerId),
    begin: (customerId) => void byCustomer.get(customerId)?.waiting.delete(customerId),
    leave: (customerId) => void byCustomer.get(customerId)?.waiting.add(customerId),
    finish(customerId) {
      const holding = byCustomer.get(customerId);
      if (holding === undefined) return;
      lose(holding, [customerId]);
      lookWhetherFinished(holding);
    },
    lose(holding, customerIds) {
      lose(holding, customerIds);
      if (holding.left.size === 0) held.delete(holding);
    },
    // A copy: others are finished while these are told.
    finished: () => [...finished],
    told: (batches) => void (finished = finished.filter((batch) => !batches.includes(batch))),
    divided(holding, batch) {
      holding.isDividing = false;
      if (batch === undefined) return drop(holding);
      holding.batch = batch;
      lookWhetherFinished(holding);
    },
  };
}
