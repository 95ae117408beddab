import type { Secrets } from "../console/wanted.ts";
import type { Database } from "../database/connection.ts";
import { addCustomer, replaceToken } from "../database/customerTable.ts";
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
  /** Who the system user is there. */
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

/**
 * Goes from the answer to a request to a customer that is logged on to.
 *
 * @param secrets learns what nothing may print
 */
export type Settle = (
  answer: URLSearchParams,
  asked: Omit<Asked, "address">,
  secrets: Secrets,
) => Promise<Outcome>;

/** What is used on the way. */
export interface Means {
  send: Send;
  keySet: KeySet;
  logOn: LogOn;
  database: Database;
}

/**
 * Makes what goes from an answer to a customer that is logged on to: its code is redeemed, the id_token validated, the row
 * written, one log-on tried. What it gives does not throw: a failure is part of the outcome.
 */
export function createSettle(
  client: Client,
  loginHost: LoginHost,
  { customer, replaces }: Wanted,
  { send, keySet, logOn, database }: Means,
): Settle {
  async function go(
    answer: URLSearchParams,
    asked: Omit<Asked, "address">,
    secrets: Secrets,
    outcome: Outcome,
  ): Promise<void> {
    const idToken = await redeem(answer, asked, loginHost, client, send, secrets);
    const asker = { ...client, nonce: asked.nonce };
    const approved = await validateIdToken(idToken, asker, keySet, new Date());
    const { contextIdentifier, systemUserToken } = approved;
    secrets.add(systemUserToken);
    if (customer !== undefined) assertSameTenant(customer, contextIdentifier, "the approval");
    outcome.approved = approved;
    outcome.stored = await store(approved, replaces, database);
    const { principal } = await logOn({ contextIdentifier, systemUserToken });
    outcome.associate = principal.associate;
  }

  return async (answer, asked, secrets) => {
    const outcome: Outcome = {};
    await go(answer, asked, secrets, outcome).catch((error) => {
      outcome.failure = error;
    });
    return outcome;
  };
}

async function store(
  { contextIdentifier, systemUserToken }: Approved,
  replaces: boolean,
  database: Database,
): Promise<"added" | "replaced"> {
  if (replaces) {
    const replaced = await replaceToken(contextIdentifier, systemUserToken, database);
    if (replaced.length > 0) return "replaced";
  }
  const added = await addCustomer(contextIdentifier, systemUserToken, database);
  if (added.length === 0) throw new CustomerExistsError(`${contextIdentifier} exists already`);
  return "added";
}
