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
  /** The same for the same context identifier and token, with or without an error, and for others hardly ever. */
  row: number;
  /** Whether it was never logged on to, failed the last time, or was left over from the last beat. */
  isUrgent: boolean;
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
  /** Other beats than this console's that consoles have gone by lately, in seconds. */
  otherBeatSeconds: number[];
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
