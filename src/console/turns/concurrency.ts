import type { Send } from "../../superoffice/http.ts";
import { createPressure, type Pressure } from "./pressure.ts";

/** How many at once there are at the beginning, and in calm at least; at most; and in trouble at least. */
export const LEAST = 32;
export const MOST = 512;
const FEWEST = 8;

/** A poll that is crowded for longer than this part of its beat wants more at once; for less than that, fewer do. */
const LONG = 1 / 8;
const SHORT = 1 / 4;
/** What is aimed at, where it is known how many turns a poll has. */
const AIM = 1 / 2;

/** A step up, and a step down. */
const MORE = 1.5;
const LESS = 7 / 8;
/** How long the throughput is measured at least; how far it has to rise for a step up to be of use, by how often it was. */
const MEASURE_MS = 250;
const GAINS = [1.4, 1.3, 1.2];
/** How often it is measured before, at the least: a poll begins slowly. */
const SURE = 4;
/** How long no step up is tried after one that was of no use: twice as long each time, since measuring is not sure. */
const NO_USE_MS = 2000;
const LONGEST_NO_USE_MS = 300_000;
/** How long none is tried after trouble, and how long one halving is given to show. */
const CALM_MS = 60_000;
const HALVING_MS = 5000;

/** Finds out how many tenants are worked on at once. */
export interface Concurrency {
  /** Says that a poll begins. */
  pollBegins(): void;
  /** Says that a tenant's turn ends, and whether others wait for theirs. */
  turnEnds(isCrowded: boolean): void;
  /** Heeds what answers say of too much at once. */
  heeding(send: Send): Send;
  /** Gives how many are at once from now on, once after each change, and whether trouble had a part in it. */
  takeChange(): { concurrency: number; isForTrouble: boolean } | undefined;
}

/**
 * As many at once as the beat needs. While a poll takes long and others wait for their turn, it is half as many more at a time, as
 * long as each step lets more turns end in a second than before: where it does not, the other end or this machine does all it can.
 * After polls that were done early it is a few less each time. It is halved when several tenants are told to ask less or get no
 * answer. Driven by what it is told; no timer runs.
 *
 * @param resize lets so many be worked on at once
 * @param pollMs from one poll's start to the next
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createConcurrency(
  resize: (concurrency: number) => void,
  pollMs: number,
  monotonicMs: () => number,
): Concurrency {
  let atOnce = LEAST;
  let said = LEAST;
  let isForTrouble = false;
  let poll = { beganMs: -Infinity, ended: 0, crowdedMs: 0 };
  /** The turns in a millisecond that let a poll like the last one end in good time. */
  let neededRate = Infinity;
  /** What is measured just now: the turns that ended, and for how long others waited meanwhile. */
  let measured = { sinceMs: 0, lastEndMs: 0, ended: 0, crowdedMs: 0 };
  /** The turns in a millisecond at this number, on average; the later ones count for more. */
  let usual = { rate: 0, times: 0 };
  /** The last step up, until it is known whether it was of use. */
  let step: { from: number; rate: number } | undefined;
  let noUseMs = NO_USE_MS;
  let noMoreBeforeMs = -Infinity;
  let noHalvingBeforeMs = -Infinity;
  const { heeding } = createPressure(() => atOnce, halve);

  function set(concurrency: number): void {
    atOnce = concurrency;
    resize(concurrency);
    usual = { rate: 0, times: 0 };
    measure();
  }

  function waitWithMore(ms: number): void {
    noMoreBeforeMs = Math.max(noMoreBeforeMs, monotonicMs() + ms);
  }

  /** Silence alone does not go below what there is in calm: whoever is silent is known as slow, and has turns of its own. */
  /** Gives whether it did. */
  function halve(pressure: Pressure): boolean {
    waitWithMore(CALM_MS);
    const least = pressure === "busy" ? FEWEST : LEAST;
    const now = monotonicMs();
    if (now < noHalvingBeforeMs || atOnce <= least) return false;
    noHalvingBeforeMs = now + HALVING_MS;
    step = undefined;
    isForTrouble = true;
    set(Math.max(least, Math.floor(atOnce / 2)));
    return true;
  }

  function measure(): void {
    const now = monotonicMs();
    measured = { sinceMs: now, lastEndMs: now, ended: 0, crowdedMs: 0 };
  }

  function judge(rate: number): void {
    const times = usual.times + 1;
    usual = { rate: usual.rate + (rate - usual.rate) / Math.min(times, GAINS.length), times };
    if (step === undefined) {
      if (times >= SURE || atOnce < LEAST) stepUp();
    } else if (usual.rate >= step.rate * GAINS[times - 1]!) {
      noUseMs = NO_USE_MS;
      stepUp();
    } else if (times === GAINS.length) {
      set(step.from);
      step = undefined;
      waitWithMore(noUseMs);
      noUseMs = Math.min(LONGEST_NO_USE_MS, noUseMs * 2);
    }
  }

  function stepUp(): void {
    const now = monotonicMs();
    const { rate } = usual;
    step = undefined;
    if (now < noMoreBeforeMs || atOnce >= MOST) return;
    const pollMsSoFar = now - poll.beganMs;
    const isInTime = rate >= neededRate && pollMsSoFar < pollMs * AIM;
    // From below what there is in calm it need not show its use.
    if (atOnce < LEAST) set(Math.min(LEAST, atOnce * 2));
    else if (pollMsSoFar >= pollMs * LONG && !isInTime) {
      step = { from: atOnce, rate };
      set(Math.min(MOST, Math.ceil(atOnce * MORE)));
    }
  }

  return {
    pollBegins() {
      const now = monotonicMs();
      const { ended, crowdedMs } = poll;
      // Where nobody was worked on, as while the database is gone, nothing is known.
      if (ended > 0) {
        neededRate = ended / (pollMs * AIM);
        const isEarly = crowdedMs < pollMs * SHORT;
        if (isEarly && atOnce > LEAST) set(Math.max(LEAST, Math.floor(atOnce * LESS)));
      }
      if (atOnce < LEAST && now >= noMoreBeforeMs) set(Math.min(LEAST, atOnce * 2));
      poll = { beganMs: now, ended: 0, crowdedMs: 0 };
      measure();
      usual = { rate: 0, times: 0 };
      step = undefined;
    },
    turnEnds(isCrowded) {
      const now = monotonicMs();
      // Many may end at the same moment, of which the first alone sees who waits.
      const crowdedMs = isCrowded ? now - measured.lastEndMs : 0;
      poll.ended++;
      poll.crowdedMs += crowdedMs;
      measured.ended++;
      measured.crowdedMs += crowdedMs;
      measured.lastEndMs = now;
      const forMs = now - measured.sinceMs;
      // Whole rounds of all, since many end together.
      if (measured.ended % atOnce !== 0 || forMs < MEASURE_MS) return;
      const { ended } = measured;
      const wasCrowded = measured.crowdedMs > forMs / 2;
      measure();
      if (wasCrowded) judge(ended / forMs);
    },
    heeding,
    takeChange() {
      const change = { concurrency: atOnce, isForTrouble };
      isForTrouble = false;
      if (atOnce === said) return undefined;
      said = atOnce;
      return change;
    },
  };
}
