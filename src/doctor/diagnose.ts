import { createClock } from "../console/clock.ts";
import type { Secrets } from "../console/wanted.ts";
import type { Database } from "../database/connection.ts";
import type { Variables } from "../program/variables.ts";
import { createSteps } from "../superoffice/createSteps.ts";
import type { Send } from "../superoffice/http.ts";
import { createKeySet } from "../superoffice/keySet.ts";
import { findCustomer, inspectDatabase } from "./checkDatabase.ts";
import { type CheckedKey, checkKey, checkRuntime, checkSettings } from "./checkSettings.ts";
import * as checks from "./checkSteps.ts";
import { check, type Finding } from "./findings.ts";

/** What the doctor looks at, and with what. */
export interface Examination {
  variables: Variables;
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

/**
 * Checks, one after the other, all that a log-on needs, and gives each check's finding. A check that failed skips
 * those alone that need what it should have brought. Writes nothing to the database, and makes one exchange at most.
 * Findings have yet to go through `redact`.
 */
export async function* diagnose(examination: Examination): AsyncGenerator<Finding, void> {
  const { variables, demoKey, secrets } = examination;
  yield checkRuntime(examination.versions);
  const settings = yield* checkSettings(variables, demoKey === undefined);
  const { databaseUrl, loginUrl, clientSecret } = settings;
  const key = yield* checkKey(variables, demoKey);

  const { requestTimeoutMs: timeoutMs } = settings.run;
  const send: Send = (request) => examination.send({ ...request, timeoutMs });
  const clock = createClock(examination.now);
  // What lacks is never used: the checks that need it are skipped.
  const application = { loginUrl: loginUrl ?? "", clientSecret: clientSecret ?? "" };
  const sign = key?.sign ?? (() => Promise.reject(new Error("there is no key")));
  const keySet = createKeySet(application.loginUrl, send);
  const steps = createSteps(application, sign, send, clock.now, keySet);

  const look = loginUrl === undefined ? undefined : await checks.lookAtLoginHost(loginUrl, send);
  const SUPEROFFICE_LOGIN_URL = look;
  yield* check(
    "clock",
    { SUPEROFFICE_LOGIN_URL },
    (needs) => checks.checkClock(needs.SUPEROFFICE_LOGIN_URL, clock),
  );

  const database = databaseUrl === undefined ? undefined : examination.openDatabase(databaseUrl);
  try {
    const table = yield* check(
      "database",
      { DATABASE_URL: database },
      (needs) => inspectDatabase(needs.DATABASE_URL),
    );
    const loginHost = yield* check(
      "login host",
      { SUPEROFFICE_LOGIN_URL },
      (needs) => checks.checkKeySet(needs.SUPEROFFICE_LOGIN_URL),
    );
    const customer = yield* check(
      "customer",
      { database: table },
      (needs) => findCustomer(needs.database, examination.customer, secrets),
    );

    const state = yield* check("state", {
      SUPEROFFICE_LOGIN_URL,
      "login host": look?.answer,
      customer: customer?.contextIdentifier ?? examination.customer,
    }, (needs) => checks.checkState(needs.customer, steps.readTenantState));
    const signature = yield* check(
      "signature",
      { key, customer },
      (needs) =>
        checks.checkSignature(needs.customer, needs.key.publicKey, steps.signToken, clock.now()),
    );
    const exchange = yield* check("exchange", {
      SUPEROFFICE_CLIENT_SECRET: clientSecret,
      "login host": loginHost,
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
