// Where requests for approval are made, and their answers dealt with and said, each once.
import process from "node:process";
import { createBucket } from "../console/listeners/bucket.ts";
import type { Secrets } from "../console/wanted.ts";
import { write } from "../program/exit.ts";
import { explain } from "../program/explain.ts";
import type { KnownSecrets } from "../program/knownSecrets.ts";
import { printable } from "../program/printable.ts";
import type { Redact } from "../program/redact.ts";
import { cutBetweenWords } from "../superoffice/http.ts";
import type { Applicant } from "./applicant.ts";
import { lastLine, pageOf, storedLine } from "./outcome.ts";
import type { Page } from "./page.ts";
import { createPendings, type Pending, type Pendings } from "./pending.ts";
import type { Outcome } from "./settle.ts";
import { type Refusal, refusal } from "./take.ts";

/** What hides secrets. */
export interface Discretion {
  secrets: KnownSecrets;
  redact: Redact;
}

/** What is known of the answers. */
export interface Desk {
  pendings: Pendings;
  /**
   * Makes a request for approval; for one browser, or for whoever has its address. Undefined where too many were made a moment
   * ago.
   */
  ask(browser?: string): Promise<{ address: string } | undefined>;
  /** Deals with what came back, and says what came of it; gives what a browser is shown. */
  settle(pending: Pending): Promise<Page>;
  /** Says that an answer was refused. */
  tellRefused(which: Refusal): void;
  /** Says that a request came by another name, which is how a web server in front is set up wrongly. */
  tellMisnamed(host: string | undefined): void;
  /** Resolves when an answer was dealt with, with whether all is well. */
  first: Promise<boolean>;
  /** How many are being dealt with. */
  inHand(): number;
  /** Waits for those in hand; gives how many there were in all. */
  finish(): Promise<number>;
  /** How many customers were stored. */
  stored(): number;
}

/** How long an administrator may take to sign in and decide. */
const PENDING_MS = 60 * 60_000;
/** How many requests are made, a second and at once: far more than administrators come. */
const ASKED_PER_SECOND = 2;
const ASKED_AT_ONCE = 100;
/** Room for all of them, so that whoever has the address pushes nobody out who is deciding. */
const MOST_PENDING = ASKED_AT_ONCE + ASKED_PER_SECOND * PENDING_MS / 1000;
/** Whoever floods the listener does not flood the terminal: so many refusals are said at once, then one a minute. */
const SAID_AT_ONCE = 20;
const SAID_PER_SECOND = 1 / 60;

/** Who looks at the pages, and how another try is made. */
export interface DeskOptions {
  /** Whether who looks at a page is who started this. */
  isOwn: boolean;
  /** Whether one address is for all. */
  isKeptOpen: boolean;
}

/** @param monotonicMs a clock in milliseconds that is never set back */
export function createDesk(
  { ask, settle: { store, logOn } }: Applicant,
  { isOwn, isKeptOpen }: DeskOptions,
  { secrets, redact }: Discretion,
  monotonicMs: () => number,
): Desk {
  const pendings = createPendings(MOST_PENDING, PENDING_MS, monotonicMs);
  const mayAsk = createBucket(ASKED_PER_SECOND, ASKED_AT_ONCE, monotonicMs);
  const sayRefused = sparingly(monotonicMs);
  const sayMisnamed = sparingly(monotonicMs);
  const sayFailed = sparingly(monotonicMs);
  const again = isKeptOpen
    ? "Another try goes by the same address, unless this was started anew: then by its new one."
    : "For another try, start the same command again, and have its new address opened.";
  const inHand = new Set<Promise<Page>>();
  let tellFirst = (_isWell: boolean): void => {};
  const first = new Promise<boolean>((resolve) => tellFirst = resolve);
  let begun = 0;
  let stored = 0;

  async function settleAndSay(pending: Pending): Promise<Page> {
    const lent = lend(secrets);
    try {
      let outcome = await store(pending.answer!.values, pending, lent);
      if (outcome.stored !== undefined) {
        stored++;
        await write(process.stdout, `${redact(storedLine(outcome))}\n`);
        outcome = await logOn(outcome);
      }
      const isWell = outcome.failure === undefined;
      const line = redact(lastLine(outcome, explain, again));
      if (outcome.approved === undefined) await sayFailed(line);
      else await write(isWell ? process.stdout : process.stderr, `${line}\n`);
      tellFirst(isWell);
      return shownPage(outcome);
    } finally {
      // It is all said: one that is kept open for months does not search its lines for what was good once.
      lent.takeBack();
    }
  }

  /** A company's name comes from outside, too. */
  function shownPage(outcome: Outcome): Page {
    const page = pageOf(outcome, explain, isOwn, again);
    const shown = (text: string) => printable(redact(text));
    return { ...page, title: shown(page.title), paragraphs: page.paragraphs.map(shown) };
  }

  return {
    pendings,
    async ask(browser) {
      if (!mayAsk()) return undefined;
      const asked = await ask();
      pendings.add({ ...asked, browser });
      return asked;
    },
    settle(pending) {
      const settling = settleAndSay(pending).finally(() => inHand.delete(settling));
      inHand.add(settling);
      begun++;
      return settling;
    },
    tellRefused(which) {
      const { problem, remedy, code } = explain(refusal(which));
      void sayRefused(`${problem}. ${remedy} [${code}]`);
    },
    tellMisnamed(host) {
      void sayMisnamed(
        redact(
          `A request came for the host «${
            cutBetweenWords(host ?? "", 100)
          }», which is not the redirect URL's and not LISTEN's, and ` +
            "was refused (status 421). Open the address as it is printed; a web server in front has to pass on one of these names.",
        ),
      );
    },
    first,
    inHand: () => inHand.size,
    async finish() {
      while (inHand.size > 0) await Promise.all(inHand);
      return begun;
    },
    stored: () => stored,
  };
}

/** Makes what says lines on the standard error, until there are too many: then one a minute, with how many were left out. */
function sparingly(monotonicMs: () => number): (line: string) => Promise<void> {
  const maySay = createBucket(SAID_PER_SECOND, SAID_AT_ONCE, monotonicMs);
  let unsaid = 0;
  return async (line) => {
    if (!maySay()) return void unsaid++;
    const others = unsaid === 0 ? "" : ` (${unsaid} more such lines were left out since the last)`;
    unsaid = 0;
    await write(process.stderr, `${line}${others}\n`);
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
