// Where requests for approval are made, and their answers dealt with and said, each once.
import process from "node:process";
import { createBucket } from "../console/listeners/bucket.ts";
import type { Secrets } from "../console/wanted.ts";
import { write } from "../program/exit.ts";
import { explain } from "../program/explain.ts";
import type { KnownSecrets } from "../program/knownSecrets.ts";
import { printable } from "../program/printable.ts";
import type { Redact } from "../program/redact.ts";
import type { Applicant } from "./applicant.ts";
import type { StateRefusedError } from "./errors.ts";
import { linesOf, pageOf } from "./outcome.ts";
import type { Page } from "./page.ts";
import { createPendings, type Pending, type Pendings } from "./pending.ts";
import type { Outcome } from "./settle.ts";
import { randomId } from "./site.ts";

/** What hides secrets. */
export interface Discretion {
  secrets: KnownSecrets;
  redact: Redact;
}

/** What is known of the answers. */
export interface Desk {
  pendings: Pendings;
  /** Makes a request for approval; for one browser, or for whoever has its address. */
  ask(browser?: string): Promise<{ address: string }>;
  /** Deals with what came back, and says what came of it; gives what a browser is shown. */
  settle(answer: URLSearchParams, pending: Pending): Promise<Page>;
  /** Says that an answer was refused. */
  tellRefused(error: StateRefusedError): void;
  /** Resolves when an answer was dealt with, with whether all is well. */
  first: Promise<boolean>;
  /** Waits for those in hand; gives how many there were in all. */
  finish(): Promise<number>;
  /** How many customers were stored. */
  stored(): number;
}

/** Far more than administrators at once; and as long as one may take to sign in and decide. */
const MOST_PENDING = 1000;
const PENDING_MS = 60 * 60_000;
/** Whoever floods the listener does not flood the terminal: so many refusals are said at once, then one a minute. */
const REFUSALS_AT_ONCE = 20;
const REFUSALS_PER_SECOND = 1 / 60;

/**
 * @param isOwn whether who looks at a page is who started this
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createDesk(
  { ask, settle }: Applicant,
  isOwn: boolean,
  { secrets, redact }: Discretion,
  monotonicMs: () => number,
): Desk {
  const pendings = createPendings(MOST_PENDING, PENDING_MS, monotonicMs);
  const mayTell = createBucket(REFUSALS_PER_SECOND, REFUSALS_AT_ONCE, monotonicMs);
  const all: Promise<Page>[] = [];
  let tellFirst = (_isWell: boolean): void => {};
  const first = new Promise<boolean>((resolve) => tellFirst = resolve);
  let stored = 0;
  let untold = 0;

  async function settleAndSay(answer: URLSearchParams, pending: Pending): Promise<Page> {
    const lent = lend(secrets);
    try {
      const outcome = await settle(answer, pending, lent);
      if (outcome.stored !== undefined) stored++;
      const { lines, isWell } = linesOf(outcome, explain);
      const last = lines.pop()!;
      for (const line of lines) await write(process.stdout, `${redact(line)}\n`);
      await write(isWell ? process.stdout : process.stderr, `${redact(last)}\n`);
      tellFirst(isWell);
      return shownPage(outcome);
    } finally {
      // It is all said: one that is kept open for months does not search its lines for what was good once.
      lent.takeBack();
    }
  }

  /** A company's name comes from outside, too. */
  function shownPage(outcome: Outcome): Page {
    const page = pageOf(outcome, explain, isOwn);
    const shown = (text: string) => printable(redact(text));
    return { ...page, title: shown(page.title), paragraphs: page.paragraphs.map(shown) };
  }

  return {
    pendings,
    async ask(browser) {
      const asked = await ask();
      pendings.add({ ...asked, id: randomId(), browser });
      return asked;
    },
    settle(answer, pending) {
      const settling = settleAndSay(answer, pending);
      all.push(settling);
      return settling;
    },
    tellRefused(error) {
      if (!mayTell()) return void untold++;
      const { problem, remedy, code } = explain(error);
      const others = untold === 0 ? "" : ` (${untold} more were refused since the last such line)`;
      untold = 0;
      void write(process.stderr, `${problem}, so nothing was done${others}. ${remedy} [${code}]\n`);
    },
    first,
    async finish() {
      for (let seen = -1; seen < all.length;) {
        seen = all.length;
        await Promise.all(all);
      }
      return all.length;
    },
    stored: () => stored,
  };
}

/** Secrets that are hidden until they are taken back. */
function lend(secrets: Secrets): Secrets & { takeBack(): void } {
  const lent: string[] = [];
  return {
    add(secret) {
      secrets.add(secret);
      lent.push(secret);
    },
    delete: secrets.delete,
    takeBack() {
      for (const secret of lent) secrets.delete(secret);
    },
  };
}
