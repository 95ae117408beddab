import { createClock } from "../console/clock.ts";
import type { Secrets } from "../console/wanted.ts";
import type { Database } from "../database/connection.ts";
import type { Variables } from "../program/variables.ts";
import { createSteps } from "../superoffice/createSteps.ts";
import type { Send } from "../superoffice/http.ts";
import { createKeySet } from "../superoffice/keySet.ts";
import { findCustomer, inspectDatabase } from "./checkDatabase.ts";
import { checkKept } from "./checkKept.ts";
import { type CheckedKey, checkKey, checkRuntime, checkSettings } from "./checkSettings.ts";
import * as checks from "./checkSteps.ts";
import { check, type Finding } from "./findings.ts";

/** What the doctor looks at, and with what. */
export interface Examination {
  variables: Variables;
  /** What is to be said of them beside. */
  warnings: string[];
  /** The context identifier of the customer to check; the first active one when undefined. */
  customer: string | undefined;
  /** The key to use where the variables name none: the demo's own. */
  demoKey: CheckedKey | undefined;
  /** The runtime's name and version, as in `process.versions`. */
  versions: Record<string, string | undefined>;
  openDatabase: (databaseUrl: string) => Database;
  send: Send;
  now: () => Date;
  /** Learns the customer's secret before a finding could hold it. */
  secrets: Secrets;
}

/** How long a request may take where the settings do not say. */
const PATIENCE_MS = 7000;

/**
 * Checks, one after the other, all that a log-on needs, and gives each check's finding. A check that failed skips
 * those alone that need what it should have brought. Writes nothing to the database, and makes one exchange at most.
 * Findings have yet to go through `redact`.
 */
export async function* diagnose(examination: Examination): AsyncGenerator<Finding, void> {
  const { variables, warnings, demoKey, secrets } = examination;
  yield checkRuntime(examination.versions);
  const settings = yield* checkSettings(variables, warnings, demoKey === undefined);
  const { databaseUrl, loginUrl, clientSecret } = settings;
  const key = yield* checkKey(variables, demoKey);

  const timeoutMs = variables["REQUEST_TIMEOUT_SECONDS"] === undefined
    ? PATIENCE_MS
    : settings.run.requestTimeoutMs;
  const send: Send = (request) => examination.send({ ...request, timeoutMs });
  const clock = createClock(examination.now);
  // What lacks is never used: the checks that need it are skipped.
  const application = { loginUrl: loginUrl ?? "", clientSecret: clientSecret ?? "" };
  const sign = key?.sign ?? (() => Promise.reject(new Error("there is no key")));
  const keySet = createKeySet(application.loginUrl, send);
  const steps = createSteps(application, sign, send, clock.now, keySet);

  // Begun before the database is waited for.
  const looking = loginUrl === undefined
    ? undefined
    : checks.lookAtLoginHost(loginUrl, send, clock);
  const database = databaseUrl === undefined ? undefined : examination.openDatabase(databaseUrl);
  try {
    const table = yield* check(
      "database",
      { settings: database },
      (needs) => inspectDatabase(needs.settings),
    );
    yield* checkKept(settings.run, table);
    const look = await looking;
    const keys = yield* check(
      "login host",
      { settings: look },
      (needs) => checks.checkKeySet(needs.settings),
    );
    const loginHost = look?.answer && { ...look, answer: look.answer };
    yield* check(
      "clock",
      { "login host": loginHost },
      (needs) => checks.checkClock(needs["login host"], clock),
    );
    const customer = yield* check(
      "customer",
      { database: table },
      (needs) => findCustomer(needs.database, examination.customer, secrets),
    );

    const state = yield* check("state", {
      "login host": loginHost,
      customer: customer?.contextIdentifier ?? examination.customer,
    }, (needs) => checks.checkState(needs.customer, steps.readTenantState));
    const signature = yield* check(
      "signature",
      { key, customer },
      (needs) =>
        checks.checkSignature(needs.customer, needs.key.publicKey, steps.signToken, clock.now()),
    );
    const exchange = yield* check("exchange", {
      settings: clientSecret,
      "login host": keys,
      customer,
      state,
      signature,
    }, (needs) => checks.askForJwt(needs.customer, needs.signature, application, keySet, send));
    const jwt = yield* check(
      "JWT",
      { exchange, customer },
      (needs) => checks.checkJwt(needs.customer, needs.exchange, keySet, clock.now()),
    );
    yield* check(
      "call",
      { customer, state, JWT: jwt },
      ({ customer, state, JWT }) =>
        checks.checkCall(customer, { api: state, ticket: JWT }, steps.callTenant),
    );
  } finally {
    await database?.end({ timeout: 1 });
  }
}
