import type { Page } from "./page.ts";

/** An approval that was asked for, and what has to come back with it. */
export interface Pending {
  /** Comes back beside the code. */
  state: string;
  /** Comes back inside the id_token. */
  nonce: string;
  /** Of PKCE: whoever redeems the code has to know it. */
  verifier: string;
  /** The browser that asked, by its cookie; undefined where any may bring the answer. */
  browser: string | undefined;
  /** What came back. */
  answer?: Answer;
  /** What came of it, as a browser is shown it. */
  page?: Promise<Page>;
}

/** An answer to a request for approval. */
export interface Answer {
  values: URLSearchParams;
  /** Names the page where its outcome is shown: known to who brought this one alone. */
  id: string;
}

/** The approvals that were asked for a short while ago. */
export interface Pendings {
  add(pending: Pending): void;
  /** Keeps an answer to one of them, in place of one that came before. */
  put(pending: Pending, answer: Answer): void;
  /** By what came back from SuperOffice. */
  ofState(state: string): Pending | undefined;
  /** By the page where the outcome of its answer is shown. */
  ofId(id: string): Pending | undefined;
}

/**
 * Keeps them; the oldest makes room where there are too many.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createPendings(
  most: number,
  lifetimeMs: number,
  monotonicMs: () => number,
): Pendings {
  const byState = new Map<string, { pending: Pending; since: number }>();
  const byId = new Map<string, string>();

  function forget(state: string): void {
    const { pending } = byState.get(state)!;
    byState.delete(state);
    if (pending.answer !== undefined) byId.delete(pending.answer.id);
  }
  function ofState(state: string): Pending | undefined {
    const found = byState.get(state);
    return found && monotonicMs() - found.since < lifetimeMs ? found.pending : undefined;
  }

  return {
    add(pending) {
      // They are in the order of their age.
      for (const [state, { since }] of byState) {
        if (byState.size < most && monotonicMs() - since < lifetimeMs) break;
        forget(state);
      }
      byState.set(pending.state, { pending, since: monotonicMs() });
    },
    put(pending, answer) {
      if (pending.answer !== undefined) byId.delete(pending.answer.id);
      pending.answer = answer;
      byId.set(answer.id, pending.state);
    },
    ofState,
    ofId: (id) => ofState(byId.get(id) ?? ""),
  };
}
