import type { Logger } from "@logtape/logtape";
import type { Database } from "../../database/connection.ts";
import {
  forgetRefusals,
  noteRefusals,
  type Refusal,
  tryAllRefused,
  tryRefused,
} from "../../database/refusals.ts";
import { type Backoff, LONGEST_MS } from "../backoff.ts";
import type { Customer } from "../../database/loadCustomers.ts";
import type { Explanation } from "../wanted.ts";

/** A backoff that is written down. */
export interface SharedBackoff extends Backoff {
  /** Writes what is left. */
  flush(): Promise<void>;
}

const LINGER_MS = 300;

/**
 * The same as {@link createBackoff}, for consoles that share the work: who was refused is left alone by all of them, since a beat
 * leaves them out. Written together a moment later; what the database does not take is lost, and costs each console one try.
 */
export function createSharedBackoff(
  pollMs: number,
  database: Database,
  { explain, log }: { explain: (error: unknown) => Explanation; log: Logger },
): SharedBackoff {
  /** What is to be written: nothing for those who are refused no more. */
  let waiting = new Map<string, Refusal | undefined>();
  let gotIn = new Set<string>();
  let mendedCodes = new Set<string>();
  let areAllTried = false;
  const codesOfAll = new Map<string, string>();
  /** Who was refused here, and whose row may not show it yet. */
  const refusedHere = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function write(): Promise<void> {
    timer = undefined;
    const taken = {
      waiting: [...waiting],
      gotIn: [...gotIn],
      codes: [...mendedCodes],
      areAllTried,
    };
    waiting = new Map();
    gotIn = new Set();
    mendedCodes = new Set();
    areAllTried = false;
    const refusals = taken.waiting.flatMap(([, refusal]) => refusal ?? []);
    const passed = taken.waiting.filter(([, refusal]) => refusal === undefined).map(([id]) => id);
    try {
      if (taken.gotIn.length + taken.codes.length > 0) {
        await tryRefused(taken.codes, taken.gotIn, database);
      }
      if (passed.length > 0) await forgetRefusals(passed, database);
      if (refusals.length > 0) await noteRefusals(refusals, 2 * pollMs, LONGEST_MS, database);
      if (taken.areAllTried) await tryAllRefused(database);
    } catch (error) {
      log.debug("{problem}. {remedy} [{code}]", { ...explain(error) });
    }
  }

  function writeSoon(): void {
    timer ??= setTimeout(write, LINGER_MS);
  }

  /** Gives whether the customer was refused before. */
  function pass({ id, hasError }: Customer): boolean {
    const wasRefused = refusedHere.delete(id) || hasError;
    if (wasRefused) {
      waiting.set(id, undefined);
      writeSoon();
    }
    return wasRefused;
  }

  return {
    async flush() {
      clearTimeout(timer);
      await write();
    },
    // Whoever is not to be tried does not come.
    mayTry: () => true,
    refused({ id, contextIdentifier, systemUserToken }, code) {
      refusedHere.add(id);
      waiting.set(id, { id, contextIdentifier, systemUserToken, code });
      writeSoon();
    },
    refusedWithAll: ({ id }, code) => void codesOfAll.set(id, code),
    passed: (customer) => void pass(customer),
    gotIn(customer) {
      if (pass(customer)) gotIn.add(customer.id);
      const code = codesOfAll.get(customer.id);
      if (code === undefined) return;
      codesOfAll.clear();
      mendedCodes.add(code);
      writeSoon();
    },
    tryAll() {
      areAllTried = true;
      writeSoon();
    },
  };
}
