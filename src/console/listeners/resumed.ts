import type { Memory } from "../memory.ts";

/** Customers that are back, as SuperOffice says. */
export interface Resumed {
  /** Says that these are, in lower case: they are tried at the next poll. */
  areBack(contextIdentifiers: Iterable<string>): void;
  /** Has them taken at the next poll, whatever their moments are, and whether or not they were refused. */
  heeding(memory: Memory): Memory;
}

/** Of whom it is remembered at most. */
const MOST = 10_000;

/** Remembers who is back until it is taken, or a whole poll has not found it. */
export function createResumed(): Resumed {
  /** With the poll before which it was said. */
  const back = new Map<string, number>();
  let polls = 0;
  const isBack = ({ contextIdentifier }: { contextIdentifier: string }) =>
    back.size > 0 && back.has(contextIdentifier.toLowerCase());

  return {
    areBack(contextIdentifiers) {
      for (const name of contextIdentifiers) if (back.size < MOST) back.set(name, polls + 1);
    },
    heeding: (memory) => ({
      ...memory,
      momentOf(customer) {
        const moment = memory.momentOf(customer);
        if (!isBack(customer)) return moment;
        memory.tryAgain(customer);
        return undefined;
      },
      take(customer) {
        const taken = memory.take(customer);
        if (!isBack(customer)) return taken;
        const name = customer.contextIdentifier.toLowerCase();
        if (taken === "taken") back.delete(name);
        // Who is in hand may have been so before it was back.
        else back.set(name, polls + 1);
        return taken;
      },
      callRoll() {
        const roll = memory.callRoll();
        const poll = ++polls;
        return {
          isHere: roll.isHere,
          complete() {
            roll.complete();
            for (const [name, from] of back) if (from <= poll) back.delete(name);
          },
        };
      },
    }),
  };
}
