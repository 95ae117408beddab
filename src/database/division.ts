// Dividing the customers among consoles, a beat at a time.
/** Customers that one console has to itself for as long as it renews its claim. */
export interface Batch {
  /** Tells the claim from others, and from an earlier one on the same customers. */
  claim: { id: string; retryCount: number };
  /** Whether they are what was left of a batch, each of which takes its time. */
  isRest: boolean;
  customerIds: string[];
}

/** A customer as a beat is cut. */
export interface CutCustomer {
  id: string;
  /** The same for the same context identifier and token, and for others hardly ever. */
  row: number;
  hasError: boolean;
  /** When it was last logged on to, by the database's clock; null before the first time, and a moment longer. */
  lastSyncMs: number | null;
  /** Whether it was never logged on to, nor has a ticket that is stored. */
  isStrange: boolean;
  /** Whether it was due in the last beat, and nobody finished it. */
  isLeftOver: boolean;
}

/** One that is to be worked on in the beat. */
export interface DueCustomer {
  id: string;
  /** From when on, by the database's clock. */
  atMs: number;
}

/** A beat that is cut, by the database's clock. */
export interface BeatWindow {
  startMs: number;
  /** Where the last beat ended that was cut: the start, or earlier. */
  fromMs: number;
}

/** A beat, by the database's clock. */
export interface Beat {
  /** Counted from 1970. */
  number: number;
  /** How long it goes on yet, in milliseconds. */
  leftMs: number;
  /** What other consoles go by that have cut beats since this one was started. */
  otherRhythms: Rhythm[];
  /** Undefined where another console has cut it. */
  counts: CutCounts | undefined;
}

/** How often beats begin, and customers are called. */
export interface Rhythm {
  beatSeconds: number;
  tenantSeconds: number;
}

/** What becomes of the active customers in a beat, as it is cut: each stands in one of these numbers, but for those left over. */
export interface CutCounts {
  due: number;
  notDue: number;
  waiting: number;
  inHand: number;
  /** How many of the due ones were left over from the last beat. */
  leftOver: number;
}

/** How consoles divide the customers. What it does throws `DatabaseError`. */
export interface Division {
  /** Sees to it that the customers of this beat are divided: does it, or waits for the console that does. */
  cut(): Promise<Beat>;
  /** Takes batches that nobody has, of about so many customers together, where there are any. */
  take(customers: number): Promise<Batch[]>;
  /** Renews claims; gives those that others have meanwhile. */
  renew(batches: Batch[]): Promise<Batch[]>;
  /** Gives the batches that nobody renews to whoever takes them. */
  recover(): Promise<void>;
  /** Whether a batch is not finished, be it in another console's hand. */
  isUnfinished(): Promise<boolean>;
  finish(batches: Batch[]): Promise<void>;
  /**
   * Keeps these customers of a batch, and gives back those; the others are finished. Gives the new claim, where it keeps any, and
   * others do not have the batch meanwhile.
   */
  divide(batch: Batch, keptIds: string[], returnedIds: string[]): Promise<Batch | undefined>;
  close(): Promise<void>;
}

/** For how long a claim holds that is not renewed, in milliseconds: the least that pg-boss can be told. */
export const CLAIM_MS = 10_000;

/** A batch is what a console does in a moment, so that all end at the same time; but not so small that dividing takes long. */
export function batchSizeFor(customers: number): number {
  return Math.min(250, Math.ceil(customers / 64));
}
