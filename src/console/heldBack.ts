import type { Logger } from "@logtape/logtape";
import { SharedTroubleError } from "./errors.ts";
import { kindOfTrouble } from "./kindOfTrouble.ts";
import type { Turns } from "./turns/turns.ts";
import { createWitness } from "./witness.ts";

/** How many failures in a row make it likely that it is not the customers. */
const SEVERAL = 3;
/** The same, where the failures differ. */
const MANY = 5;
/** How many customers are tried before it is said, and in each poll while it lasts, one at a time. */
const FIRST_TRIES = 100;
const LATER_TRIES = 10;
/** Of how many it is remembered at most that they failed before. */
const MOST_REMEMBERED = 10_000;

/** How long a customer waits at most to hear whose a failure is, while others are at the step or still to come. */
const LONGEST_WAIT_MS = 1000;

/** What becomes of a customer that waits: it is tried, it is held back, its failure is its own or everybody's. */
type Verdict = "try" | "again" | "heldBack" | "own" | "shared";
type Waiting = { attempt: Attempt; decided: (verdict: Verdict) => void }[];
/** A customer's way to the step. */
type Attempt = Record<string, never>;

/** How customers are held back. */
export interface HoldingBack {
  /** From one poll's start to the next, in milliseconds. */
  pollMs: number;
  /** A clock in milliseconds that is never set back. */
  monotonicMs: () => number;
  /** Lets others have the turn of a customer that waits. */
  aside: Turns["aside"];
}

/** What all are refused for, and for how long nobody has got through. */
export interface SharedTrouble {
  cause: unknown;
  forMs: number;
}

/** A step that customers are held back from. */
export interface HeldBack<T, Result> {
  /** Throws what the step throws where that is the customer's own, else a {@link SharedTroubleError}. */
  step: (tenant: T) => Promise<Result>;
  /** Notes who gets on with what is kept of the step: before all are taken to be refused, one of them is tried. */
  witnessed: (kept: (tenant: T) => Promise<Result>) => (tenant: T) => Promise<Result>;
  /** Gives what all are refused for, once: undefined where nobody is held back, or it was given before. */
  takeNews: () => SharedTrouble | undefined;
}

/**
 * Holds customers back from a step that the login host refuses to all. Where the same trouble meets several in a row and nobody
 * gets through, it is the application that is refused, or its settings, and no customer: then one at a time is tried, whichever,
 * until one gets through; then all are. Until it is known whose a failure is, its customer waits aside. Where others do without
 * the step, since they keep what it gave, one of those is tried first: it tells new customers that are all wrong from a trouble of all.
 *
 * @param giveUp ends the waiting
 */
export function heldBack<T extends { contextIdentifier: string }, Result>(
  step: (tenant: T) => Promise<Result>,
  { pollMs, monotonicMs, aside }: HoldingBack,
  giveUp: AbortSignal,
  log: Logger,
): HeldBack<T, Result> {
  /** Who is at the step, and could show that not all are refused. */
  const atStep = new Set<Attempt>();
  let passages = 0;
  /** The failures since somebody got through: how many in a row, how many of the same kind, since when, the last one. */
  let trouble = {
    kind: "",
    inARow: 0,
    alike: 0,
    sinceMs: 0,
    lastMs: 0,
    cause: undefined as unknown,
  };
  /** Whether it is taken for everybody's, and of which kinds that was said. */
  let isShared = false;
  const told = new Set<string>();
  let tries = { left: 0, sinceMs: -Infinity };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const failures: Waiting = [];
  const queue: Waiting = [];
  /** Who failed, and with what, since somebody got through; and before: those are no evidence any more. */
  const failed = new Map<string, string>();
  const failedBefore = new Map<string, string>();
  /** Who gets on without the step, and when one of them last got through it. */
  const witness = createWitness<T, Result>(pollMs, monotonicMs);
  let witnessedMs = -Infinity;

  giveUp.addEventListener("abort", () => {
    settle(failures, "own");
    settle(queue, "heldBack");
  });

  const isSuspected = () => isShared || trouble.alike >= SEVERAL || trouble.inARow >= MANY;

  function waitInQueue(tenant: T, attempt: Attempt): Promise<Verdict> {
    const now = monotonicMs();
    // A poll's first.
    const isFirst = queue.length === 0 && now - tries.sinceMs > pollMs / 2;
    if (isFirst) tries = { left: isShared ? LATER_TRIES : FIRST_TRIES, sinceMs: now };
    return wait(tenant, attempt, queue);
  }

  function wait(
    { contextIdentifier }: T,
    attempt: Attempt,
    waiting: Waiting,
  ): Promise<Verdict> {
    const verdict = new Promise<Verdict>((decided) => waiting.push({ attempt, decided }));
    decide();
    return aside(contextIdentifier, verdict, giveUp);
  }

  /** Decides as soon as nobody is at the step who could still get through; a host may be silent for long. */
  function decide(): void {
    if (atStep.size === 0) decideNow(!isShared);
    limitWait();
  }

  function limitWait(): void {
    if (failures.length + queue.length > 0) {
      timer ??= setTimeout(decideWithoutThem, LONGEST_WAIT_MS);
    } else {
      clearTimeout(timer);
      timer = undefined;
    }
  }

  function decideWithoutThem(): void {
    timer = undefined;
    atStep.clear();
    decideNow(false);
    limitWait();
  }

  /** @param mayOthersCome whether somebody is waited for who could be tried, before it is taken for everybody's trouble */
  function decideNow(mayOthersCome: boolean): void {
    if (!isSuspected()) {
      settle(failures, "own");
      settle(queue, "again");
      return;
    }
    const witnessing = giveUp.aborted ? undefined : witness.call();
    if (witnessing !== undefined) {
      void tryWitness(witnessing);
      return;
    }
    const mayTry = tries.left > 0 && monotonicMs() - tries.sinceMs < pollMs / 4;
    if (queue.length > 0 && mayTry) {
      tries.left--;
      // Whichever: neighbours may be alike.
      const [next] = queue.splice(Math.floor(Math.random() * queue.length), 1);
      atStep.add(next!.attempt);
      next!.decided("try");
      return;
    }
    if (queue.length === 0 && mayOthersCome) return;
    isShared = true;
    settle(failures, "shared");
    settle(queue, "heldBack");
  }

  async function tryWitness(tenant: T): Promise<void> {
    const attempt: Attempt = {};
    atStep.add(attempt);
    const isThrough = await step(tenant).then(() => true, () => false);
    atStep.delete(attempt);
    if (!isThrough) return decide();
    witnessedMs = monotonicMs();
    notePassage(tenant);
  }

  function noteFailure({ contextIdentifier }: T, kind: string, cause: unknown): void {
    const lastMs = monotonicMs();
    // Who has a ticket gets through without this step: what is polls apart is not in a row.
    const isOld = !isShared && lastMs - trouble.lastMs > 2 * pollMs;
    if (isOld) rememberFailed();
    const { inARow, sinceMs } = failed.size === 0 ? { inARow: 0, sinceMs: lastMs } : trouble;
    const alike = inARow > 0 && kind === trouble.kind ? trouble.alike : 0;
    // One customer is not several, however often it is tried.
    const one = failed.has(contextIdentifier) ? 0 : 1;
    trouble = { kind, inARow: inARow + one, alike: alike + one, sinceMs, lastMs, cause };
    failed.set(contextIdentifier, kind);
  }

  /** They are evidence no more. */
  function rememberFailed(): void {
    if (failedBefore.size > MOST_REMEMBERED) failedBefore.clear();
    for (const [id, kind] of failed) failedBefore.set(id, kind);
    failed.clear();
    trouble.inARow = trouble.alike = 0;
  }

  function notePassage({ contextIdentifier }: T): void {
    passages++;
    rememberFailed();
    failedBefore.delete(contextIdentifier);
    if (told.size > 0) log.info("Customers get through again: what was refused to all is over.");
    // Who was refused before things changed is tried again, and judged then.
    settle(failures, told.size > 0 ? "shared" : "own");
    told.clear();
    isShared = false;
    // Neighbours may be alike, and would look like a trouble of all again.
    queue.sort(() => Math.random() - 0.5);
    settle(queue, "again");
  }

  /** Waits until the customer may go on to the step. */
  async function admit(tenant: T, attempt: Attempt): Promise<void> {
    while (isSuspected()) {
      const verdict = await waitInQueue(tenant, attempt);
      giveUp.throwIfAborted();
      if (verdict === "heldBack") throw new SharedTroubleError(trouble.cause, false);
      if (verdict === "try") return;
    }
  }

  async function judge(tenant: T, attempt: Attempt, kind: string, error: unknown): Promise<void> {
    noteFailure(tenant, kind, error);
    if (await wait(tenant, attempt, failures) === "shared") {
      throw new SharedTroubleError(error, true);
    }
  }

  return {
    async step(tenant) {
      const { contextIdentifier } = tenant;
      const attempt: Attempt = {};
      // Who is known to fail alone waits for nobody, and keeps nobody waiting.
      if (!failedBefore.has(contextIdentifier)) {
        if (isSuspected()) await admit(tenant, attempt);
        atStep.add(attempt);
      }
      const passagesBefore = passages;
      try {
        const result = await step(tenant);
        atStep.delete(attempt);
        notePassage(tenant);
        return result;
      } catch (error) {
        atStep.delete(attempt);
        const kind = kindOfTrouble(error);
        const isKnown = failedBefore.get(contextIdentifier) === kind;
        // Whoever got through meanwhile shows that not all are refused.
        const isAlone = passages > passagesBefore || monotonicMs() - witnessedMs < pollMs / 2;
        if (kind !== undefined && isAlone) failedBefore.set(contextIdentifier, kind);
        if (kind === undefined || isKnown || isAlone) decide();
        else await judge(tenant, attempt, kind, error);
        throw error;
      }
    },
    witnessed: witness.noted,
    takeNews() {
      const { kind, sinceMs, cause } = trouble;
      if (!isShared || told.has(kind)) return undefined;
      told.add(kind);
      return { cause, forMs: monotonicMs() - sinceMs };
    },
  };
}

function settle(waiting: Waiting, verdict: Verdict): void {
  for (const { decided } of waiting.splice(0)) decided(verdict);
}
