import {
  DeniedError,
  InvalidSignatureError,
  NeedsReapprovalError,
  RequestTimeoutError,
  RevokedError,
  TenantNotRunningError,
} from "../superoffice/errors.ts";
import type { Customer } from "../database/loadCustomers.ts";
import { createBackoff } from "./backoff.ts";

/** What is remembered of customers from poll to poll. */
export interface Memory {
  /** Takes a customer in hand, unless an earlier poll still has it, or it was refused and it is too early to try again. */
  take(customer: Customer): "taken" | "stillInHand" | "waiting";
  /** Says that a customer is in hand no more. */
  giveBack(customer: Customer): void;
  /** Whether the tenant did not answer in time when it was tried last. */
  isSlow(customer: Customer): boolean;
  /** Says that the customer was logged on to, and its work done. */
  succeeded(customer: Customer): void;
  /** Says what the customer failed with; gives whether that is news to people: a tenant's state is told once. */
  failed(customer: Customer, error: unknown): boolean;
  /** Begins to look who is still there. */
  callRoll(): Roll;
}

/** Tells who is active no more. */
export interface Roll {
  isHere(customer: Customer): void;
  /** Says that all were there who are; the others are forgotten. */
  complete(): void;
}

/**
 * @param loginHost when it does not answer in time, that makes no customer slow
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createMemory(
  pollMs: number,
  loginHost: string,
  monotonicMs: () => number,
): Memory {
  const inHand = new Set<string>();
  const slow = new Set<string>();
  const toldStates = new Map<string, string>();
  const backoff = createBackoff(pollMs, monotonicMs);
  return {
    take(customer) {
      if (inHand.has(customer.id)) return "stillInHand";
      if (!backoff.mayTry(customer)) return "waiting";
      inHand.add(customer.id);
      return "taken";
    },
    giveBack: ({ id }) => void inHand.delete(id),
    isSlow: ({ id }) => slow.has(id),
    succeeded(customer) {
      slow.delete(customer.id);
      toldStates.delete(customer.id);
      backoff.passed(customer);
    },
    failed(customer, error) {
      if (error instanceof RequestTimeoutError && error.host !== loginHost) slow.add(customer.id);
      else slow.delete(customer.id);
      if (needsPeople(error)) backoff.refused(customer);
      else backoff.passed(customer);
      if (!(error instanceof TenantNotRunningError)) return true;
      const isNews = toldStates.get(customer.id) !== error.state;
      toldStates.set(customer.id, error.state);
      return isNews;
    },
    callRoll() {
      const missing = new Set([...slow, ...toldStates.keys()]);
      return {
        isHere: ({ id }) => void missing.delete(id),
        complete() {
          for (const id of missing) {
            slow.delete(id);
            toldStates.delete(id);
          }
        },
      };
    },
  };
}

/** Whether trying again is of no use before somebody has done something about it. */
function needsPeople(error: unknown): boolean {
  return [RevokedError, DeniedError, NeedsReapprovalError, InvalidSignatureError]
    .some((kind) => error instanceof kind);
}
