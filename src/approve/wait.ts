// Waits for answers to requests for approval: at the listener, on the terminal, until the time is over or Ctrl-C.
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { EXIT_FAILED, EXIT_OK, write } from "../program/exit.ts";
import { explain } from "../program/explain.ts";
import type { KnownSecrets } from "../program/knownSecrets.ts";
import type { Listening } from "../program/listening.ts";
import { openBrowser } from "../program/openBrowser.ts";
import { printable } from "../program/printable.ts";
import type { Redact } from "../program/redact.ts";
import { isLoopback } from "../superoffice/trustedHost.ts";
import type { Applicant } from "./applicant.ts";
import { NobodyCameError, type StateRefusedError } from "./errors.ts";
import type { Interrupt } from "./interrupt.ts";
import { listen } from "./listen.ts";
import { linesOf, pageOf } from "./outcome.ts";
import { readPasted } from "./pasted.ts";
import { createPendings, type Pending, type Pendings } from "./pending.ts";
import type { Outcome } from "./settle.ts";
import { createSite, ownAddress, randomId, refusal, take } from "./site.ts";
import { readLines } from "./terminal.ts";

/** How answers are waited for. */
export interface Waiting {
  listening: Listening;
  /** Whether customers are taken one after the other, by one address for all. */
  isKeptOpen: boolean;
  /** Undefined where it goes on until Ctrl-C. */
  minutes: number | undefined;
  /** Whether the user's browser is opened. */
  opensBrowser: boolean;
}

/** What hides secrets. */
export interface Discretion {
  secrets: KnownSecrets;
  redact: Redact;
}

/** Far more than administrators at once; and as long as one may take to sign in and decide. */
const MOST_PENDING = 1000;
const PENDING_MS = 60 * 60_000;
/** Whoever floods the listener does not flood the terminal. */
const MOST_REFUSALS_SAID = 20;
/** How long the last page is waited for, which the browser is on its way to. */
const LAST_PAGE_MS = 5000;

/** Waits, says what comes of it, and gives the exit code. Throws `CannotListenError` and {@link NobodyCameError}. */
export async function waitForApprovals(
  applicant: Applicant,
  waiting: Waiting,
  discretion: Discretion,
  interrupt: Interrupt,
): Promise<number> {
  const { listening, isKeptOpen, minutes } = waiting;
  const { redirectUrl, hosts } = listening;
  const desk = createDesk(applicant, discretion);
  const startKey = isKeptOpen ? randomId() : undefined;
  const shown = later<void>();
  let isEnding = false;
  const site = createSite({ redirectUrl, hosts, startKey }, {
    ...desk,
    pageOf: (outcome) => {
      const isOwn = isLoopback(new URL(redirectUrl));
      const page = pageOf(outcome, explainedBy(discretion.redact), isOwn);
      // A company's name comes from outside, too.
      const shownText = (text: string) => printable(discretion.redact(text));
      return {
        ...page,
        title: shownText(page.title),
        paragraphs: page.paragraphs.map(shownText),
      };
    },
    // One request alone can begin nothing more anyway, and may be asked what came of it.
    isEnding: () => isKeptOpen && isEnding,
    tellShown: shown.resolve,
  });
  const listener = await listen(listening.addresses, listening.port, site);
  // One request for approval belongs to whoever has its address; those of an address for all belong to a browser each.
  const address = startKey === undefined
    ? (await desk.ask()).address
    : ownAddress(redirectUrl, startKey).href;
  await sayWhatToDo(address, waiting);
  const lines = isKeptOpen ? undefined : readAnswers(desk, discretion, interrupt);
  try {
    const ending = await Promise.race([
      ...(isKeptOpen ? [] : [desk.first]),
      ...(minutes === undefined ? [] : [delay(minutes * 60_000, "late", { ref: false })]),
      interrupted(interrupt),
    ]);
    // What was begun is brought to its end, and nothing more is begun.
    isEnding = true;
    const outcomes = await desk.finish();
    if (isKeptOpen) {
      await say(`No more approvals are taken. Customers that were stored: ${desk.stored()}.`);
      return EXIT_OK;
    }
    if (outcomes === 0 && ending === "late") {
      throw new NobodyCameError(`Nobody approved within ${minutes} min`);
    }
    if (outcomes === 0) {
      await write(process.stderr, "Stopped: nothing was stored.\n");
      return EXIT_FAILED;
    }
    if (!lines?.hasTaken()) await Promise.race([shown.promise, delay(LAST_PAGE_MS)]);
    return await desk.first ? EXIT_OK : EXIT_FAILED;
  } finally {
    lines?.close();
    await listener.close();
  }
}

/** Where requests for approval are made, and their answers dealt with. */
interface Desk {
  pendings: Pendings<Outcome>;
  ask: (browser?: string) => Promise<{ address: string }>;
  settle: (answer: URLSearchParams, pending: Pending<Outcome>) => Promise<Outcome>;
  tellRefused: (error: StateRefusedError) => void;
  /** Resolves when an answer was dealt with, with whether all is well. */
  first: Promise<boolean>;
  /** Waits for those in hand; gives how many there were in all. */
  finish: () => Promise<number>;
  /** How many customers were stored. */
  stored: () => number;
}

function createDesk({ ask, settle }: Applicant, { redact }: Discretion): Desk {
  const pendings = createPendings<Outcome>(MOST_PENDING, PENDING_MS, () => performance.now());
  const first = later<boolean>();
  const all: Promise<Outcome>[] = [];
  let stored = 0;
  let refusals = 0;

  async function settleAndSay(
    answer: URLSearchParams,
    pending: Pending<Outcome>,
  ): Promise<Outcome> {
    const outcome = await settle(answer, pending);
    if (outcome.stored !== undefined) stored++;
    const { lines, isWell } = linesOf(outcome, explain);
    const last = lines.pop()!;
    for (const line of lines) await say(redact(line));
    await write(isWell ? process.stdout : process.stderr, `${redact(last)}\n`);
    first.resolve(isWell);
    return outcome;
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
      if (++refusals > MOST_REFUSALS_SAID) return;
      const { problem, remedy, code } = explain(error);
      void write(process.stderr, `${problem}, so nothing was done. ${remedy} [${code}]\n`);
    },
    first: first.promise,
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

async function sayWhatToDo(
  address: string,
  { listening, isKeptOpen, minutes, opensBrowser }: Waiting,
): Promise<void> {
  await say(
    isKeptOpen
      ? "Give this address to your customers' administrators; each approves for its own company:\n"
      : "Open this address in a browser, as a general or user administrator of the customer, and approve:\n",
  );
  // It has a line to itself, and goes through nothing that could change it.
  await say(`${address}\n`);
  if (opensBrowser) openBrowser(address);
  const opened = opensBrowser ? "It opens in your browser. " : "";
  const time = minutes === undefined ? "until Ctrl-C" : `for ${minutes} min; Ctrl-C ends that`;
  await say(`${opened}The answer is waited for at ${listening.redirectUrl}, ${time}.`);
}

/** Takes answers that are pasted into the terminal, or come through a pipe. */
function readAnswers(
  { pendings, settle, tellRefused }: Desk,
  { secrets }: Discretion,
  { press }: Interrupt,
) {
  let hasTaken = false;
  const warn = (line: string) => void write(process.stderr, `${line}\n`);
  const lines = readLines((line) => {
    if (line.trim() === "") return;
    const answer = readPasted(line);
    if (answer === undefined) {
      return warn("That holds no answer to a request for approval: paste the whole address.");
    }
    for (const code of answer.getAll("code")) secrets.add(code);
    const taken = take(answer, pendings);
    if (typeof taken === "string") return tellRefused(refusal(taken));
    hasTaken = true;
    taken.outcome = settle(answer, taken);
  }, press);
  if (process.stdin.isTTY) {
    warn(
      "If the browser ends at an address that does not open, paste that address here (it is not shown) and press Enter.",
    );
  }
  return { close: lines.close, hasTaken: () => hasTaken };
}

function explainedBy(redact: Redact) {
  return (error: unknown) => {
    const { problem, remedy, code } = explain(error);
    return { problem: redact(problem), remedy: redact(remedy), code };
  };
}

function interrupted({ signal }: Interrupt): Promise<"stopped"> {
  return new Promise((resolve) => {
    const stopped = () => resolve("stopped");
    if (signal.aborted) stopped();
    else signal.addEventListener("abort", stopped, { once: true });
  });
}

async function say(line: string): Promise<void> {
  await write(process.stdout, `${line}\n`);
}

/** A promise, and what resolves it. */
function later<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((resolveIt) => resolve = resolveIt);
  return { promise, resolve };
}
