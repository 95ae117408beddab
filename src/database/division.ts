// Dividing the customers among consoles, a beat at a time.
/** Customers that one console has to itself for as long as it renews its claim. */
export interface Batch {
  /** Tells the claim from others, and from an earlier one on the same customers. */
  claim: { id: string; retryCount: number };
  /** Whether they are what was left of a batch, each of which takes its time. */
  isRest: boolean;
  customerIds: string[];
}

/** An active customer as a beat is cut. */
export interface CutCustomer {
  id: string;
  /** The same for the same context identifier and token, and for others hardly ever. */
  row: number;
  hasError: boolean;
  /** When it was last logged on to, by the database's clock; null before the first time. */
  lastSyncMs: number | null;
  /** Whether it was due in the last beat, and nobody took it, or it was held back with all others. */
  isLeftOver: boolean;
  /** Whether a console has it yet, so that it is left out. */
  isInHand: boolean;
  /** Whether it was refused, and it is too early to try it again, so that it is left out. */
  isWaiting: boolean;
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

/** What those who cut beats tell each other, from one to the next. */
export interface Carried {
  /** Whose call was one at once, since its row was new or changed; what told the row from others, and when the beat began. */
  called: [id: string, row: number, atMs: number][];
  /** The ids of those that were in hand when they were due. */
  missed: string[];
}

/** Says who of the active customers is due in a beat, in the order of their moments, and what the next one is to know. */
export type Decide = (
  customers: CutCustomer[],
  beat: BeatWindow,
  carried: Carried,
) => { due: DueCustomer[]; carried: Carried };

/** What becomes of the active customers in a beat, when it is cut; each stands in one of these numbers. */
export interface CutCounts {
  due: number;
  notDue: number;
  waiting: number;
  inHand: number;
  /** How many of the due ones were due before, and left over. */
  leftOver: number;
}

/** What a console has that shares the work, in seconds. */
export interface Rhythm {
  beatSeconds: number;
  tenantSeconds: number;
}

/** A beat, by the database's clock. */
export interface Beat {
  /** Counted from 1970. */
  number: number;
  /** How long it goes on yet, in milliseconds. */
  leftMs: number;
  /** Of consoles that have cut beats since this one was started, and have another rhythm. */
  otherRhythms: Rhythm[];
  /** Undefined where another console has cut it. */
  counts: CutCounts | undefined;
}

/** How consoles divide the customers. What it does throws `DatabaseError`. */
export interface Division {
  /**
   * Sees to it that the customers of this beat are divided: does it, or waits for the console that does.
   *
   * @param owedIds those that are due whatever their moments, where it does
   */
  cut(owedIds?: string[]): Promise<Beat>;
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
