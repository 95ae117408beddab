import type { Logger } from "@logtape/logtape";
import { type Batch, CLAIM_MS, type Division } from "../../database/division.ts";
import type { Customer } from "../../database/loadCustomers.ts";
import { createHoldings, type Holding } from "./holdings.ts";
import type { BeatSummary, Memory } from "../memory.ts";
import { createRhythmCheck } from "./rhythmCheck.ts";
import { sleep } from "../sleep.ts";
import type { Intervals } from "../scheduled.ts";
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
 * @param monotonicMs a clock in milliseconds that is never set back
 * @param stop gives back at once what is not begun
 */
export function createShare(
  division: Division,
  load: (customerIds: string[]) => AsyncIterable<Customer[]>,
  { pollMs: beatMs, tenantMs }: Intervals,
  monotonicMs: () => number,
  stop: AbortSignal,
  { explain, log }: { explain: (error: unknown) => Explanation; log: Logger },
): Share {
  const holdings = createHoldings();
  const checkRhythms = createRhythmCheck({ pollMs: beatMs, tenantMs }, log);
  /** Who was held back with all others, or refused with them: no row says so. */
  const owed = new Set<string>();
  /** What is told of the beat that is under way. */
  let summary: BeatSummary = { end: "done", nextBeatSeconds: 0 };
  let beat: number | undefined;
  let isTroubled = false;
  let areMissedTold = false;
  let beatEndsMs = -Infinity;
  let renewedMs = -Infinity;
  let recoveredMs = -Infinity;
  let looking: Promise<void> | undefined;
  let wake = () => {};

  async function begin(): Promise<void> {
    while (!stop.aborted) {
      // Where the database does not answer, it is asked again as often.
      beatEndsMs = monotonicMs() + beatMs;
      // So it counts unless all goes well.
      const wasTroubled = isTroubled;
      isTroubled = true;
      // Who is not known as finished is left out.
      await finish();
      const { number, leftMs, otherRhythms, counts } = await division.cut([...owed]);
      isTroubled = false;
      beatEndsMs = monotonicMs() + leftMs;
      checkRhythms(otherRhythms);
      if (counts !== undefined) owed.clear();
      if (number !== beat) {
        if (beat !== undefined && number > beat + 1 && !wasTroubled) tellMissed(number - beat - 1);
        beat = number;
        return void Object.assign(summary, { counts });
      }
      // This machine's clock was a little ahead.
      await nextBeat();
    }
  }

  async function nextBeat(): Promise<void> {
    await sleep(beatEndsMs - monotonicMs(), stop);
  }

  function tellMissed(beats: number): void {
    if (areMissedTold) return;
    areMissedTold = true;
    log.warn(
      "This console missed {beats} beat{s}, since what it took of one kept it for longer, or it stood still; other consoles " +
        "do such a beat without it, and where there are none, its customers come later. It takes less at once where there are " +
        "more consoles, or POLL_SECONDS or TENANT_SECONDS is longer. This is said once.",
      { beats, s: beats === 1 ? "" : "s" },
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
      let isAnyTaken = false;
      try {
        while (!stop.aborted) {
          if (monotonicMs() >= beatEndsMs) return void (summary.end = "cameFirst");
          await finish();
          const takenMs = monotonicMs();
          const batches = await division.take(WANTED);
          isAnyTaken ||= batches.length > 0;
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
          } else {
            if (!isAnyTaken && summary.counts === undefined) summary.end = "othersDidIt";
            return;
          }
        }
        summary.end = "stopped";
      } finally {
        await giveBack();
      }
    },
    noting: (memory) => ({
      ...memory,
      take(customer) {
        const holding = holdings.of(customer.id);
        const isOwn = holding !== undefined && monotonicMs() - holding.renewedMs < SURE_MS;
        if (!isOwn) return "elsewhere";
        holdings.begin(customer.id);
        owed.delete(customer.id);
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
      failedWithAll(customer, code) {
        owed.add(customer.id);
        memory.failedWithAll(customer, code);
      },
      callRoll() {
        const own: BeatSummary = summary = { end: "done", nextBeatSeconds: 0 };
        return {
          // Who is not here may be with another console.
          isHere() {},
          complete() {},
          beat() {
            const leftMs = Math.max(0, beatEndsMs - monotonicMs());
            return { ...own, nextBeatSeconds: Math.ceil(leftMs / 1000) };
          },
        };
      },
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
