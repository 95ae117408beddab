import {
  DeniedError,
  type ExchangeRefusedError,
  InvalidSignatureError,
  NeedsReapprovalError,
  RequestTimeoutError,
  RevokedError,
  TenantNotRunningError,
} from "../superoffice/errors.ts";
import type { CutCounts } from "../database/division.ts";
import type { Customer } from "../database/loadCustomers.ts";
import { type Backoff, createBackoff } from "./backoff.ts";

/** What is remembered of customers from poll to poll. */
export interface Memory {
  /** When a customer is to be called in this poll: at once where it is undefined, and not at all when it is not due. */
  momentOf(customer: Customer): Promise<void> | "notDue" | undefined;
  /**
   * Takes a customer in hand, unless an earlier poll still has it, it was refused and it is too early to try again, or it is
   * another console's meanwhile.
   */
  take(customer: Customer): "taken" | "stillInHand" | "waiting" | "elsewhere";
  /** Says that a customer is in hand no more, and whether it was begun: it is not where a stop came before its turn. */
  giveBack(customer: Customer, wasBegun: boolean): void;
  /** Whether its trouble takes time, while others have none. */
  isSlow(customer: Customer): boolean;
  /** Says that the customer was logged on to, and its work done. */
  succeeded(customer: Customer): void;
  /**
   * Says what the customer failed with, after a visit that began at `startedAtMs`; gives whether that is news to people: a
   * tenant's state is told once.
   */
  failed(customer: Customer, error: unknown, startedAtMs: number): boolean;
  /** Says that the customer was refused with all others, or not tried for that. */
  failedWithAll(customer: Customer, code: string): void;
  /** Says that something changed for the customer: where it was refused, it is tried at the next poll. */
  tryAgain(customer: Customer): void;
  /** Says that something changed for all: whoever was refused is tried at the next poll. */
  tryAll(): void;
  /** Begins to look who is still there. */
  callRoll(): Roll;
}

/** Tells who is active no more. */
export interface Roll {
  isHere(customer: Customer): void;
  /** Says that all were there who are; the others are forgotten. */
  complete(): void;
  /** What there is to tell of the beat, where consoles share the work. */
  beat?(): BeatSummary;
}

/** What a console that shares the work has to tell of a beat. */
export interface BeatSummary {
  /** What became of the active customers when this console cut the beat; undefined where another did. */
  counts?: CutCounts | undefined;
  /** Whether all of it was done, the next beat or a stop came first, or others had done it when this console came. */
  end: "done" | "cameFirst" | "stopped" | "othersDidIt";
  /** How long it is to the next one. */
  nextBeatSeconds: number;
}

/** Trouble that takes longer than this keeps others waiting. */
const LONG_MS = 900;

/**
 * @param requestTimeoutMs how long one request may take with its repeats
 * @param loginHost when it does not answer in time, that alone makes no customer slow
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createMemory(
  pollMs: number,
  requestTimeoutMs: number,
  loginHost: string,
  monotonicMs: () => number,
  backoff: Backoff = createBackoff(pollMs, monotonicMs),
): Memory {
  const inHand = new Set<string>();
  /** Whose trouble takes time, since when. It may be everybody's, as long as nobody else was logged on to since. */
  const inLongTrouble = new Map<string, { sinceMs: number; isSlow: boolean }>();
  const longMs = Math.min(LONG_MS, 0.9 * requestTimeoutMs);
  let lastSuccessMs = -Infinity;
  const toldStates = new Map<string, string>();

  function noteTrouble({ id }: Customer, error: unknown, startedAtMs: number): void {
    const isSilent = error instanceof RequestTimeoutError && error.host !== loginHost;
    if (!isSilent && monotonicMs() - startedAtMs < longMs) {
      inLongTrouble.delete(id);
      return;
    }
    const { sinceMs, isSlow } = inLongTrouble.get(id) ?? { sinceMs: startedAtMs, isSlow: false };
    inLongTrouble.set(id, { sinceMs, isSlow: isSlow || isSilent || lastSuccessMs >= sinceMs });
  }

  return {
    momentOf: () => undefined,
    take(customer) {
      if (inHand.has(customer.id)) return "stillInHand";
      if (!backoff.mayTry(customer)) return "waiting";
      inHand.add(customer.id);
      return "taken";
    },
    giveBack: ({ id }) => void inHand.delete(id),
    isSlow: ({ id }) => inLongTrouble.get(id)?.isSlow ?? false,
    succeeded(customer) {
      lastSuccessMs = monotonicMs();
      inLongTrouble.delete(customer.id);
      toldStates.delete(customer.id);
      backoff.gotIn(customer);
    },
    failed(customer, error, startedAtMs) {
      noteTrouble(customer, error, startedAtMs);
      if (needsPeople(error)) backoff.refused(customer, error.code);
      else backoff.passed(customer);
      if (!(error instanceof TenantNotRunningError)) return true;
      const isNews = toldStates.get(customer.id) !== error.state;
      toldStates.set(customer.id, error.state);
      return isNews;
    },
    failedWithAll: backoff.refusedWithAll,
    tryAgain: backoff.passed,
    tryAll: backoff.tryAll,
    callRoll() {
      const missing = new Set([...inLongTrouble.keys(), ...toldStates.keys()]);
      return {
        isHere: ({ id }) => void missing.delete(id),
        complete() {
          for (const id of missing) {
            inLongTrouble.delete(id);
            toldStates.delete(id);
          }
        },
      };
    },
  };
}

/** Whether trying again is of no use before somebody has done something about it. */
function needsPeople(error: unknown): error is ExchangeRefusedError {
  return [RevokedError, DeniedError, NeedsReapprovalError, InvalidSignatureError]
    .some((kind) => error instanceof kind);
}
