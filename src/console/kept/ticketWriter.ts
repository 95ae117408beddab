import { sleep } from "../sleep.ts";

/** Gathers customers whose tickets are to be stored, and has them stored together. */
export interface TicketWriter {
  /** Has the customer's ticket stored: within half a second where it is `urgent`, else within some seconds. */
  add(contextIdentifier: string, urgent: boolean): void;
  /** Has stored what there is, where some of it is urgent, as far as that can be done now. */
  writeUrgent(): Promise<void>;
  /** Has stored what is left, as far as that can be done now. */
  flush(): Promise<void>;
}

const BATCH_ROWS = 1000;
/** The rest of half a second is for the writing. */
const URGENT_MS = 250;
const LINGER_MS = 5000;
/** What could not be stored is tried again after this. */
const RETRY_MS = 5000;
/** A row that somebody holds is free again in a moment, where it is another console that looks at it; it is tried so often soon. */
const SOON_MS = 100;
const SOON_TRIES = 5;

/**
 * Gathers batches of up to 1,000. What comes while one is written gathers meanwhile, one entry a customer, however long the database
 * does not answer.
 *
 * @param write stores what there is now for these; gives those that have to be tried again, undefined where nothing can be stored
 *   for now, and never rejects
 */
export function createTicketWriter(
  write: (contextIdentifiers: string[]) => Promise<string[] | undefined>,
): TicketWriter {
  const waiting = new Set<string>();
  let isUrgent = false;
  let isFailing = false;
  /** In how many batches in a row somebody held rows. */
  let heldTries = 0;
  let writing: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** What the timer was set to. */
  let timerMs = Infinity;

  async function writeBatch(): Promise<void> {
    const batch: string[] = [];
    for (const contextIdentifier of waiting) {
      if (batch.length === BATCH_ROWS) break;
      batch.push(contextIdentifier);
      waiting.delete(contextIdentifier);
    }
    if (waiting.size === 0) isUrgent = false;
    const left = await write(batch);
    isFailing = left === undefined;
    heldTries = left === undefined || left.length === 0 ? 0 : heldTries + 1;
    for (const contextIdentifier of left ?? batch) waiting.add(contextIdentifier);
  }

  function start(): void {
    stopTimer();
    writing ??= writeBatch().finally(() => {
      writing = undefined;
      startWhenDue();
    });
  }

  function stopTimer(): void {
    clearTimeout(timer);
    timerMs = Infinity;
  }

  function startWhenDue(): void {
    if (writing !== undefined || waiting.size === 0) return;
    if (waiting.size >= BATCH_ROWS && !isFailing) start();
    else if (isFailing) startIn(RETRY_MS);
    else if (heldTries > 0 && heldTries < SOON_TRIES) startIn(SOON_MS);
    else startIn(isUrgent ? URGENT_MS : LINGER_MS);
  }

  function startIn(ms: number): void {
    if (ms >= timerMs) return;
    stopTimer();
    timerMs = ms;
    timer = setTimeout(start, ms);
  }

  async function writeAll(): Promise<void> {
    await writing;
    do {
      if (heldTries > 0) await sleep(SOON_MS);
      if (waiting.size > 0) start();
      await writing;
    } while (waiting.size > 0 && !isFailing && heldTries < SOON_TRIES);
  }

  return {
    add(contextIdentifier, urgent) {
      waiting.add(contextIdentifier);
      isUrgent ||= urgent;
      startWhenDue();
    },
    async writeUrgent() {
      if (isUrgent || writing !== undefined) await writeAll();
    },
    async flush() {
      await writeAll();
      stopTimer();
    },
  };
}
