import type { Logger } from "@logtape/logtape";
import { type Batch, CLAIM_MS, type Division } from "../../database/division.ts";
import type { Customer } from "../../database/loadCustomers.ts";
import { createHoldings, type Holding } from "./holdings.ts";
import type { Memory } from "../memory.ts";
import { sleep } from "../sleep.ts";
import type { Explanation } from "../wanted.ts";

/** This console's share of the customers. */
export interface Share {
  /** Waits until the next beat is due, or until a stop. */
  nextBeat(): Promise<void>;
  /** Gives what falls to this console of the beat, until nothing is left or the next one is due. */
  customers(): AsyncGenerator<Customer[], void>;
  /** Takes nobody whom others have meanwhile, and notes who is begun and who is finished. */
  noting(memory: Memory): Memory;
  /** Gives back what is not finished; never rejects. */
  leave(): Promise<void>;
}

/** How many customers are taken at once, at least: small batches are not worth a question each. */
const WANTED = 32;
const LOOK_MS = 1000;
const RENEW_MS = 3000;
/** From when on a claim that was not renewed may be another's: so much is left for what is begun just then. */
const SURE_MS = CLAIM_MS - 1500;
/** What is not finished then leaves its batch, whose others can be taken at the next beat. */
const SLOW_MS = 1500;

/**
 * Takes one batch after the other, as fast as its customers are taken in turn.
 *
 * @param load gives these customers, as far as they are active
 * @param beatMs from one beat's start to the next
 * @param monotonicMs a clock in milliseconds that is never set back
 * @param stop gives back at once what is not begun
 */
export function createShare(
  division: Division,
  load: (customerIds: string[]) => AsyncIterable<Customer[]>,
  beatMs: number,
  monotonicMs: () => number,
  stop: AbortSignal,
  { explain, log }: { explain: (error: unknown) => Explanation; log: Logger },
): Share {
  const holdings = createHoldings();
  const toldBeats = new Set<number>();
  let beat = -1;
  let beatEndsMs = -Infinity;
  let renewedMs = -Infinity;
  let recoveredMs = -Infinity;
  let looking: Promise<void> | undefined;
  let wake = () => {};

  async function begin(): Promise<void> {
    while (!stop.aborted) {
      // Where the database does not answer, it is asked again as often.
      beatEndsMs = monotonicMs() + beatMs;
      // Who is not known as finished is left out.
      await finish();
      const { number, leftMs, otherBeatSeconds } = await division.cut();
      beatEndsMs = monotonicMs() + leftMs;
      otherBeatSeconds.forEach(tellOtherBeat);
      if (number !== beat) return void (beat = number);
      // This machine's clock was a little ahead.
      await nextBeat();
    }
  }

  async function nextBeat(): Promise<void> {
    await sleep(beatEndsMs - monotonicMs(), stop);
  }

  function tellOtherBeat(seconds: number): void {
    if (toldBeats.has(seconds)) return;
    toldBeats.add(seconds);
    log.warn(
      "Another console shares the work with POLL_SECONDS={seconds}, so that customers are called too often: set the same for all.",
      { seconds },
    );
  }

  async function finish(): Promise<void> {
    const batches = holdings.finished();
    if (batches.length === 0) return;
    await division.finish(batches);
    holdings.told(batches);
  }

  async function* take(batches: Batch[], takenMs: number): AsyncGenerator<Customer[], void> {
    for (const batch of batches) holdings.take(batch, takenMs);
    const missing = new Set(batches.flatMap(({ customerIds }) => customerIds));
    for await (const page of load([...missing])) {
      for (const { id } of page) missing.delete(id);
      yield page;
    }
    // Inactive meanwhile.
    for (const id of missing) holdings.finish(id);
  }

  async function giveBack(): Promise<void> {
    for (const holding of holdings.all()) {
      if (holding.waiting.size > 0) await divide(holding, [...holding.waiting]);
    }
  }

  async function divide(holding: Holding, returnedIds: string[]): Promise<void> {
    if (holding.isDividing) return;
    holding.isDividing = true;
    holdings.lose(holding, returnedIds);
    const keptIds = [...holding.left];
    try {
      holdings.divided(holding, await division.divide(holding.batch, keptIds, returnedIds));
    } catch (error) {
      // Its claim is still the old one, under which the last of them may have been finished meanwhile.
      holdings.divided(holding, holding.batch);
      throw error;
    }
  }

  /** Renews the claims, and has those who are slow leave their batches. */
  async function look(): Promise<void> {
    try {
      const now = monotonicMs();
      if (now - renewedMs >= RENEW_MS) await renew(now);
      if (stop.aborted) await giveBack();
      for (const holding of holdings.all()) {
        const { batch, left, waiting, takenMs } = holding;
        const isDue = waiting.size === 0
          ? now - takenMs > SLOW_MS
          : beatEndsMs - now < Math.min(SLOW_MS, beatMs / 4);
        // A batch of slow ones alone leaves, too, since the beat is not over before all batches are done.
        const isDivisible = left.size < batch.customerIds.length || !batch.isRest;
        // Who is not begun is nobody's fault, and another console may have room.
        if (isDue && left.size > 0 && isDivisible) await divide(holding, [...waiting]);
      }
      await finish();
    } catch (error) {
      tell(error);
    }
  }

  function tell(error: unknown): void {
    log.debug("{problem}. {remedy} [{code}]", { ...explain(error) });
  }

  async function renew(now: number): Promise<void> {
    const some = holdings.all().filter(({ isDividing }) => !isDividing);
    const lost = some.length === 0 ? [] : await division.renew(some.map(({ batch }) => batch));
    for (const holding of some) {
      if (!lost.includes(holding.batch)) holding.renewedMs = now;
      else if (!holding.isDividing) holdings.lose(holding, holding.left);
    }
    renewedMs = now;
  }

  const timer = setInterval(() => {
    looking ??= look().finally(() => looking = undefined);
  }, LOOK_MS);
  stop.addEventListener("abort", () => {
    giveBack().catch(tell);
  });

  return {
    nextBeat,
    async *customers() {
      await begin();
      try {
        while (!stop.aborted && monotonicMs() < beatEndsMs) {
          await finish();
          const takenMs = monotonicMs();
          const batches = await division.take(WANTED);
          if (batches.length > 0) yield* take(batches, takenMs);
          else if (await division.isUnfinished()) {
            // Perhaps whoever has it does not live any more.
            if (monotonicMs() - recoveredMs >= LOOK_MS) {
              await division.recover();
              recoveredMs = monotonicMs();
            }
            const awake = new AbortController();
            wake = () => awake.abort();
            await sleep(LOOK_MS / 4, stop, awake.signal);
          } else return;
        }
      } finally {
        await giveBack();
      }
    },
    noting: (memory) => ({
      ...memory,
      take(customer) {
        const holding = holdings.of(customer.id);
        const isOwn = holding !== undefined && monotonicMs() - holding.renewedMs < SURE_MS;
        if (!isOwn) return "stillInHand";
        holdings.begin(customer.id);
        const taken = memory.take(customer);
        if (taken !== "taken") holdings.finish(customer.id);
        return taken;
      },
      giveBack(customer, wasBegun) {
        memory.giveBack(customer, wasBegun);
        if (!wasBegun) return holdings.leave(customer.id);
        holdings.finish(customer.id);
        if (holdings.all().length === 0) wake();
      },
      // Who is not here may be with another console.
      callRoll: () => ({ isHere() {}, complete() {} }),
    }),
    async leave() {
      clearInterval(timer);
      await looking;
      try {
        await giveBack();
        await finish();
      } catch (error) {
        // Others take it, as they do when a console dies.
        tell(error);
      }
      await division.close().catch(tell);
    },
  };
}
