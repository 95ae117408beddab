import type { Page } from "./page.ts";

/** An approval that was asked for, and what has to come back with it. */
export interface Pending {
  /** Comes back beside the code. */
  state: string;
  /** Comes back inside the id_token. */
  nonce: string;
  /** Of PKCE: whoever redeems the code has to know it. */
  verifier: string;
  /** Names the page where its outcome is shown. */
  id: string;
  /** The browser that asked, by its cookie; undefined where any may bring the answer. */
  browser: string | undefined;
  /** What came back, until it is dealt with the last that did. */
  answer?: URLSearchParams;
  /** What came of it, as a browser is shown it. */
  page?: Promise<Page>;
}

/** The approvals that were asked for a short while ago. */
export interface Pendings {
  add(pending: Pending): void;
  /** By what came back from SuperOffice. */
  ofState(state: string): Pending | undefined;
  /** By the page where its outcome is shown. */
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
    byId.delete(pending.id);
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
      byId.set(pending.id, pending.state);
    },
    ofState,
    ofId: (id) => ofState(byId.get(id) ?? ""),
  };
}
