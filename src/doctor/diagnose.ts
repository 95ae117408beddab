import type { Secrets } from "../redact.ts";
import { createClock } from "../clock.ts";
import type { Database } from "../database.ts";
import { DatabaseError } from "../errors.ts";
import { type Checked, failed, type Finding, makeCheck, skipped } from "./findings.ts";
import { checkDatabase, type CustomerRow, findCustomer } from "./diagnoseDatabase.ts";
import {
  type CheckedKey,
  checkKey,
  checkRuntime,
  checkSettings,
  namesKey,
  namesTwoKeys,
  showKey,
} from "./diagnoseSettings.ts";
import {
  askLoginHost,
  checkCall,
  checkClock,
  checkExchange,
  checkJwt,
  checkKeySet,
  checkSignature,
  checkState,
} from "./diagnoseTenant.ts";
import type { Send } from "../http.ts";
import type { Variables } from "../settings.ts";

/** What the doctor looks at, and with what. */
export interface Examination {
  variables: Variables;
  /** The context identifier of the customer to check; the first active one when undefined. */
  customer: string | undefined;
  /** The key to use where the variables name none: the demo's own. */
  demoKey: CheckedKey | undefined;
  /** The runtime's name and version, as in `process.versions`. */
  versions: Record<string, string | undefined>;
  readText: (path: string) => Promise<string>;
  openDatabase: (databaseUrl: string) => Database;
  send: Send;
  now: () => Date;
  /** A clock in milliseconds that is never set back. */
  monotonicMs: () => number;
  /** Learns the customer's secret before a finding could hold it. */
  secrets: Secrets;
}

/**
 * Checks, one after the other, all that a log-on needs, and gives each check's finding. A check that failed skips
 * those alone that need what it should have brought. Writes nothing to the database, and makes one exchange at most.
 * Findings have yet to go through `redact`.
 */
export async function* diagnose(
  {
    variables,
    customer,
    demoKey,
    versions,
    readText,
    openDatabase,
    send,
    now,
    monotonicMs,
    secrets,
  }: Examination,
): AsyncGenerator<Finding, void> {
  yield checkRuntime(versions);

  const settings = await checkSettings(variables, demoKey === undefined);
  yield settings.finding;
  const { run, databaseUrl, loginUrl, clientSecret } = settings.value;
  const http = { send, timeoutMs: run.requestTimeoutMs, signal: new AbortController().signal };
  const loginNeeds = { SUPEROFFICE_LOGIN_URL: loginUrl };
  const application = loginUrl === undefined || clientSecret === undefined
    ? undefined
    : { loginUrl, clientSecret };

  const key = await examineKey(variables, demoKey, readText);
  yield key.finding;

  const clock = createClock(now);
  const answer = loginUrl === undefined
    ? undefined
    : await askLoginHost(loginUrl, http, monotonicMs);
  yield (await makeCheck("clock", { ...loginNeeds, answer }, ({ answer }) => {
    return checkClock(answer, clock);
  })).finding;

  const database = databaseUrl === undefined ? undefined : openDatabase(databaseUrl);
  let row: CustomerRow | undefined;
  let found: Finding;
  try {
    const table = await makeCheck(
      "database",
      { DATABASE_URL: database },
      ({ DATABASE_URL }) => checkDatabase(DATABASE_URL),
    );
    yield table.finding;
    ({ finding: found, value: row } = await examineCustomer(database, customer, table));
  } finally {
    await database?.end({ timeout: 1 });
  }
  if (row !== undefined) secrets.add(row.systemUserToken);

  const keySet = await makeCheck("login host", { ...loginNeeds, answer }, ({ answer }) => {
    return checkKeySet(answer);
  });
  yield keySet.finding;
  yield found;

  const contextIdentifier = row?.contextIdentifier ?? customer;
  const reachable = answer?.serverTime ?? keySet.value;
  const state = await makeCheck(
    "state",
    { ...loginNeeds, "login host": reachable, customer: contextIdentifier },
    (needs) => checkState(needs.customer, needs.SUPEROFFICE_LOGIN_URL, http),
  );
  yield state.finding;

  const signature = await makeCheck(
    "signature",
    { key: key.value, customer: row },
    ({ key, customer }) =>
      checkSignature(customer.systemUserToken, key.sign, key.publicKey, clock.now()),
  );
  yield signature.finding;

  const exchanged = await makeCheck(
    "exchange",
    {
      SUPEROFFICE_CLIENT_SECRET: application,
      "login host": keySet.value,
      customer: row,
      state: state.value,
      signature: signature.value,
    },
    (needs) =>
      checkExchange(
        needs.customer.contextIdentifier,
        needs.signature,
        needs.SUPEROFFICE_CLIENT_SECRET,
        needs["login host"],
        clock.now,
        http,
      ),
  );
  yield exchanged.finding;

  const jwt = await makeCheck(
    "JWT",
    { exchange: exchanged.value },
    ({ exchange }) => checkJwt(exchange),
  );
  yield jwt.finding;

  const call = await makeCheck(
    "call",
    { application, customer: row, state: state.value, JWT: jwt.value },
    ({ application, customer, state, JWT }) =>
      checkCall(customer.contextIdentifier, state, JWT, application, http),
  );
  yield call.finding;
}

async function examineKey(
  variables: Variables,
  demoKey: CheckedKey | undefined,
  readText: (path: string) => Promise<string>,
): Promise<Checked<CheckedKey>> {
  const isNamed = namesKey(variables);
  if (demoKey !== undefined && !isNamed) {
    return await makeCheck("key", {}, () => showKey(demoKey, "made for this demo"));
  }
  const isOne = isNamed && !namesTwoKeys(variables);
  return await makeCheck(
    "key",
    { "SUPEROFFICE_PRIVATE_KEY or SUPEROFFICE_PRIVATE_KEY_FILE": isOne || undefined },
    () => checkKey(variables, readText),
  );
}

/** An inactive customer is a failure, since the console leaves it alone, but its tenant is checked all the same. */
async function examineCustomer(
  database: Database | undefined,
  contextIdentifier: string | undefined,
  table: Checked<undefined>,
): Promise<Checked<CustomerRow>> {
  // Errors with a cause come from the server, or from the way there.
  const isReadable = table.finding.verdict === "passed" || hasNoCause(table.error);
  const found = await makeCheck(
    "customer",
    { database: isReadable ? database : undefined },
    async ({ database }) => {
      const row = await findCustomer(database, contextIdentifier);
      const which = contextIdentifier === undefined ? "the first active one" : "active";
      return { value: row, text: `${row.contextIdentifier}, ${which}` };
    },
  );
  if (table.finding.verdict === "failed" && found.error !== undefined && !hasNoCause(found.error)) {
    return { finding: skipped("customer", ["database"]) };
  }
  if (found.value === undefined || found.value.isActive) return found;
  const error = new DatabaseError(
    `${found.value.contextIdentifier} is not active, so the console leaves it alone`,
    "Set is_active to true in its row, if the customer still wants the application.",
  );
  return { finding: failed("customer", error), value: found.value };
}

function hasNoCause(error: unknown): boolean {
  return error instanceof Error && error.cause === undefined;
}
