import type { Secrets } from "../console/wanted.ts";
import { type Database, mayBeDone } from "../database/connection.ts";
import { storeToken } from "../database/customerTable.ts";
import type { Send } from "../superoffice/http.ts";
import type { KeySet } from "../superoffice/keySet.ts";
import type { LogOn } from "../superoffice/logOn.ts";
import { assertSameTenant } from "../superoffice/tenant.ts";
import { type Approved, validateIdToken } from "../superoffice/validateIdToken.ts";
import { CustomerExistsError } from "./errors.ts";
import { type Asked, type Client, type LoginHost, redeem } from "./flow.ts";

/** What came of an approval, as far as it went. */
export interface Outcome {
  /** Who approved, once that was validated. */
  approved?: Approved;
  /** What became of its row. */
  stored?: "added" | "replaced";
  /** Whether it may have been written although the database did not say so. */
  mayBeStored?: boolean;
  /** Who the system user is there, once it was logged on. */
  associate?: string;
  /** What kept it from going on. */
  failure?: unknown;
}

/** Which approvals are wanted. */
export interface Wanted {
  /** The context identifier of the only customer that may approve; undefined for any. */
  customer: string | undefined;
  /** Whether a customer that exists gets the new token. */
  replaces: boolean;
}

/** Goes from an answer to a request to a customer that is stored, and then logged on to. Neither throws. */
export interface Settle {
  /**
   * Redeems the code, validates the id_token, and writes the row.
   *
   * @param secrets learns what nothing may print
   */
  store(answer: URLSearchParams, asked: Omit<Asked, "address">, secrets: Secrets): Promise<Outcome>;
  /** Tries one log-on for what was stored. */
  logOn(stored: Outcome): Promise<Outcome>;
}

/** What is used on the way. */
export interface Means {
  send: Send;
  keySet: KeySet;
  logOn: LogOn;
  database: Database;
}

/** Makes what goes from an answer to a customer that is logged on to. */
export function createSettle(
  client: Client,
  loginHost: LoginHost,
  { customer, replaces }: Wanted,
  { send, keySet, logOn, database }: Means,
): Settle {
  return {
    async store(answer, asked, secrets) {
      const outcome: Outcome = {};
      try {
        const idToken = await redeem(answer, asked, loginHost, client, send, secrets);
        const asker = { ...client, nonce: asked.nonce };
        const approved = await validateIdToken(idToken, asker, keySet, new Date());
        const { contextIdentifier, systemUserToken } = approved;
        secrets.add(systemUserToken);
        if (customer !== undefined) {
          assertSameTenant(customer, contextIdentifier, "the approval");
        }
        outcome.approved = approved;
        const { stored } = await storeToken(contextIdentifier, systemUserToken, replaces, database);
        if (stored === "exists") {
          throw new CustomerExistsError(`${contextIdentifier} exists already`);
        }
        outcome.stored = stored;
      } catch (failure) {
        outcome.failure = failure;
        outcome.mayBeStored = mayBeDone(failure);
      }
      return outcome;
    },
    async logOn(outcome) {
      try {
        const { principal } = await logOn(outcome.approved!);
        return { ...outcome, associate: principal.associate };
      } catch (failure) {
        return { ...outcome, failure };
      }
    },
  };
}
