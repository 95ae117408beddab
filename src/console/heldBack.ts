import type { Logger } from "@logtape/logtape";
import {
  ContextIdentifierError,
  ExpiredError,
  ExplainedError,
  NeedsReapprovalError,
  NetworkError,
  RequestTimeoutError,
  RevokedError,
  UnexpectedStatusError,
  UnreadableAnswerError,
  WrongTenantError,
} from "../superoffice/errors.ts";
import { SharedTroubleError, StoppedError } from "./errors.ts";
import type { Turns } from "./turns.ts";

/** How many failures in a row make it likely that it is not the customers. */
const SEVERAL = 3;
/** How many customers are tried in each poll while it lasts, one at a time. */
const MOST_TRIES = 10;

/** How long a customer waits at most to hear whose a failure is, while others are still at the step. */
const LONGEST_WAIT_MS = 2000;

/** What refuses one customer alone, however many it happens to. */
const ONES_OWN = [
  RevokedError,
  ExpiredError,
  NeedsReapprovalError,
  ContextIdentifierError,
  WrongTenantError,
  StoppedError,
];
const NO_ANSWER = [NetworkError, RequestTimeoutError, UnexpectedStatusError, UnreadableAnswerError];

/** What becomes of a customer that waits: it is tried, it is held back, its failure is its own or everybody's. */
type Verdict = "try" | "again" | "heldBack" | "own" | "shared";
type Waiting = ((verdict: Verdict) => void)[];

/** How customers are held back. */
export interface HoldingBack {
  /** From one poll's start to the next, in milliseconds. */
  pollMs: number;
  /** A clock in milliseconds that is never set back. */
  monotonicMs: () => number;
  /** Lets others have the turn of a customer that waits. */
  aside: Turns["aside"];
}

/**
 * Holds customers back from a step that the login host refuses to all. Where the same trouble meets several in a row and nobody
 * gets through, it is the application that is refused, or its settings, and no customer: then one at a time is tried, whichever,
 * until one gets through; then all are. Until it is known whose a failure is, its customer waits aside.
 *
 * What it gives throws what the step throws where that is the customer's own, else a {@link SharedTroubleError}.
 *
 * @param giveUp ends the waiting
 */
export function heldBack<T extends { contextIdentifier: string }, Result>(
  step: (tenant: T) => Promise<Result>,
  { pollMs, monotonicMs, aside }: HoldingBack,
  giveUp: AbortSignal,
  log: Logger,
): (tenant: T) => Promise<Result> {
  let underWay = 0;
  let passages = 0;
  /** The last failures: of which kind, how many in a row, since when, and when the last one was. */
  let trouble = { kind: "", inARow: 0, sinceMs: 0, lastMs: 0 };
  let lastError: unknown;
  /** Of which kind it was said that it is everybody's. */
  let toldOf: string | undefined;
  let tries = { left: 0, sinceMs: -Infinity };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const failures: Waiting = [];
  const queue: Waiting = [];
  /** Who failed, and with what, since somebody got through; and before: those are no evidence any more. */
  const failed = new Map<string, string>();
  const failedBefore = new Map<string, string>();

  giveUp.addEventListener("abort", () => {
    settle(failures, "own");
    settle(queue, "heldBack");
  });

  function waitInQueue(tenant: T): Promise<Verdict> {
    const now = monotonicMs();
    // A poll's first.
    const isFirst = queue.length === 0 && now - tries.sinceMs > pollMs / 2;
    if (isFirst) tries = { left: MOST_TRIES, sinceMs: now };
    return wait(tenant, queue);
  }

  function wait({ contextIdentifier }: T, waiting: Waiting): Promise<Verdict> {
    const verdict = new Promise<Verdict>((resolve) => waiting.push(resolve));
    timer ??= setTimeout(decideAtLast, LONGEST_WAIT_MS);
    decide();
    return aside(contextIdentifier, verdict, giveUp);
  }

  /** Decides without those who are still at the step: a host may be silent for long. */
  function decideAtLast(): void {
    timer = undefined;
    const isShared = trouble.inARow >= SEVERAL;
    settle(failures, isShared ? "shared" : "own");
    settle(queue, isShared ? "heldBack" : "again");
  }

  /** Decides as soon as nobody is at the step who could still get through. */
  function decide(): void {
    if (underWay > 0) return;
    clearTimeout(timer);
    timer = undefined;
    if (trouble.inARow < SEVERAL) {
      settle(failures, "own");
      settle(queue, "again");
      return;
    }
    const mayTry = tries.left > 0 && monotonicMs() - tries.sinceMs < pollMs / 4;
    const isSure = trouble.inARow >= MOST_TRIES || !mayTry || queue.length === 0;
    if (isSure) settle(failures, "shared");
    if (!mayTry) return settle(queue, "heldBack");
    if (queue.length === 0) return;
    tries.left--;
    underWay++;
    // Whichever: neighbours may be alike.
    const [next] = queue.splice(Math.floor(Math.random() * queue.length), 1);
    if (queue.length + failures.length > 0) timer = setTimeout(decideAtLast, LONGEST_WAIT_MS);
    next!("try");
  }

  /** Those that were refused before things changed are not to be judged by that, once it was said that it is everybody's. */
  function dismiss(): void {
    settle(failures, toldOf === undefined ? "own" : "shared");
  }

  function waitForOthers(tenant: T, kind: string, error: unknown): Promise<Verdict> {
    if (kind !== trouble.kind) dismiss();
    const lastMs = monotonicMs();
    // Who has a ticket gets through without this step: what is polls apart is not in a row.
    const isOld = toldOf === undefined && lastMs - trouble.lastMs > 2 * pollMs;
    const isNew = kind !== trouble.kind || trouble.inARow === 0 || isOld;
    const { inARow, sinceMs } = isNew ? { inARow: 0, sinceMs: lastMs } : trouble;
    trouble = { kind, inARow: inARow + 1, sinceMs, lastMs };
    lastError = error;
    failed.set(tenant.contextIdentifier, kind);
    return wait(tenant, failures);
  }

  function notePassage({ contextIdentifier }: T): void {
    passages++;
    for (const [id, kind] of failed) failedBefore.set(id, kind);
    failed.clear();
    failedBefore.delete(contextIdentifier);
    dismiss();
    if (toldOf !== undefined) {
      log.info("Customers get through again: what was refused to all is over.");
    }
    toldOf = undefined;
    trouble.inARow = 0;
    // Neighbours may be alike, and would look like a trouble of all again.
    queue.sort(() => Math.random() - 0.5);
    settle(queue, "again");
  }

  function sharedError(cause: unknown, wasTried: boolean): SharedTroubleError {
    const isNews = toldOf !== trouble.kind;
    toldOf = trouble.kind;
    const forMs = monotonicMs() - trouble.sinceMs;
    return new SharedTroubleError(cause, wasTried, isNews ? forMs : undefined);
  }

  return async (tenant) => {
    const { contextIdentifier } = tenant;
    let mayTry = failedBefore.has(contextIdentifier);
    let isCounted = false;
    while (!mayTry && trouble.inARow >= SEVERAL) {
      const verdict = await waitInQueue(tenant);
      giveUp.throwIfAborted();
      if (verdict === "heldBack") throw sharedError(lastError, false);
      mayTry = isCounted = verdict === "try";
    }
    if (!isCounted) underWay++;
    const passagesBefore = passages;
    let result: Result;
    try {
      result = await step(tenant);
    } catch (error) {
      underWay--;
      const kind = kindOf(error);
      const isKnown = kind === undefined || failedBefore.get(contextIdentifier) === kind;
      if (isKnown || passages > passagesBefore) decide();
      if (isKnown) throw error;
      // Whoever got through meanwhile shows that not all are refused.
      const verdict = passages > passagesBefore ? "own" : await waitForOthers(tenant, kind, error);
      if (verdict === "shared") throw sharedError(error, true);
      failedBefore.set(contextIdentifier, kind);
      throw error;
    }
    underWay--;
    notePassage(tenant);
    return result;
  };
}

function settle(waiting: Waiting, verdict: Verdict): void {
  for (const decided of waiting.splice(0)) decided(verdict);
}

/** What two failures have in common that may have the same cause; undefined for what is a customer's own. */
function kindOf(error: unknown): string | undefined {
  if (!(error instanceof ExplainedError)) return undefined;
  if (ONES_OWN.some((kind) => error instanceof kind)) return undefined;
  return NO_ANSWER.some((kind) => error instanceof kind) ? "no answer" : error.code;
}
