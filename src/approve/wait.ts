// Waits for answers to requests for approval: at the listener, on the terminal, until the time is over or Ctrl-C.
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { EXIT_FAILED, EXIT_OK, write } from "../program/exit.ts";
import type { Listening } from "../program/listening.ts";
import { openBrowser } from "../program/openBrowser.ts";
import { isLoopback } from "../superoffice/trustedHost.ts";
import type { Applicant } from "./applicant.ts";
import { createDesk, type Desk, type Discretion } from "./desk.ts";
import { NobodyCameError } from "./errors.ts";
import { type Interrupt, interrupted } from "./interrupt.ts";
import { listen } from "./listen.ts";
import { readPasted } from "./pasted.ts";
import { randomId } from "./randomId.ts";
import { createSite, ownAddress } from "./site.ts";
import { take } from "./take.ts";
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
  const isOwn = isLoopback(new URL(redirectUrl));
  const desk = createDesk(applicant, { isOwn, isKeptOpen }, discretion, () => performance.now());
  const startKey = isKeptOpen ? randomId() : undefined;
  const shown = later<void>();
  let isEnding = false;
  const site = createSite({ redirectUrl, hosts, startKey }, {
    ...desk,
    isEnding: () => isEnding,
    tellShown: shown.resolve,
  });
  const listener = await listen(listening.addresses, listening.port, site);
  // One request for approval belongs to whoever has its address; those of an address for all belong to a browser each.
  const address = startKey === undefined
    ? (await desk.ask())!.address
    : ownAddress(redirectUrl, startKey).href;
  if (!interrupt.signal.aborted) await sayWhatToDo(address, waiting);
  const lines = isKeptOpen ? undefined : readAnswers(desk, interrupt, () => isEnding);
  try {
    const ending = await Promise.race([
      ...(isKeptOpen ? [] : [desk.first]),
      ...(minutes === undefined ? [] : [delay(minutes * 60_000, "late", { ref: false })]),
      interrupted(interrupt),
    ]);
    // What was begun is brought to its end, and nothing more is begun.
    isEnding = true;
    if (ending === "stopped" && desk.inHand() > 0) {
      const what = "Waiting for what was begun; Ctrl-C again ends it at once.\n";
      await write(process.stderr, what);
    }
    const outcomes = await desk.finish();
    if (isKeptOpen) {
      await say(`No more approvals are taken. Customers that were stored: ${desk.stored()}.`);
      return EXIT_OK;
    }
    if (outcomes === 0 && ending === "late") {
      throw new NobodyCameError(`Nobody approved within ${minutes} min`);
    }
    if (outcomes === 0) return await sayStopped();
    // Who ended it does not wait for the browser.
    if (!lines?.hasTaken() && ending !== "stopped") {
      await Promise.race([shown.promise, delay(LAST_PAGE_MS)]);
    }
    return await desk.first ? EXIT_OK : EXIT_FAILED;
  } finally {
    lines?.close();
    await listener.close();
  }
}

/** Says that it ended before anything was stored; gives the exit code. */
export async function sayStopped(): Promise<number> {
  await write(process.stderr, "Stopped: nothing was stored.\n");
  return EXIT_FAILED;
}

async function sayWhatToDo(
  address: string,
  { listening, isKeptOpen, minutes, opensBrowser }: Waiting,
): Promise<void> {
  await say(
    isKeptOpen
      ? "Give this address to your customers' administrators; whoever opens it approves for one company:\n"
      : "Open this address in a browser, as a general or user administrator of the customer, and approve:\n",
  );
  // It has a line to itself, and goes through nothing that could change it.
  await say(`${address}\n`);
  if (opensBrowser) openBrowser(address);
  const opened = opensBrowser ? "It opens in your browser. " : "";
  const time = minutes === undefined ? "until Ctrl-C" : `for ${minutes} min; Ctrl-C ends that`;
  await say(
    `${opened}The answer is waited for at ${listening.redirectUrl}, ${time}. ` +
      "Where SuperOffice's page refuses client id or redirect URL, none comes.",
  );
}

/** Takes answers that are pasted into the terminal, or come through a pipe. */
function readAnswers(
  { pendings, settle, tellRefused }: Desk,
  { press }: Interrupt,
  isEnding: () => boolean,
) {
  let hasTaken = false;
  const warn = (line: string) => void write(process.stderr, `${line}\n`);
  const lines = readLines((line) => {
    if (line.trim() === "" || isEnding()) return;
    const answer = readPasted(line);
    if (answer === undefined) {
      return warn(
        "That is no answer to a request for approval: paste the whole address at which the browser ended, which holds code= and state=.",
      );
    }
    const taken = take(answer, pendings);
    if (typeof taken === "string") return tellRefused(taken);
    hasTaken = true;
    taken.page = settle(taken);
  }, press);
  if (process.stdin.isTTY) {
    warn(
      "If the browser ends at an address that does not open, paste that address here (it is not shown) and press Enter.",
    );
  }
  return { close: lines.close, hasTaken: () => hasTaken };
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
