// The one way in for tests of behaviour: a console made of the real parts, whose clocks the test sets.
import { readFile } from "node:fs/promises";
import { getLogger, type Logger } from "@logtape/logtape";
import type { StandIn, Tenant } from "../../fixtures/standIn.ts";
import { type Clock, createClock } from "../../src/console/clock.ts";
import { compose } from "../../src/console/compose.ts";
import { createHttpClient } from "../../src/console/requests/httpClient.ts";
import { createTenantStates } from "../../src/console/kept/tenantStates.ts";
import { createTickets } from "../../src/console/kept/tickets.ts";
import type { Kept } from "../../src/console/kept/ticketRow.ts";
import { createTenantFetch } from "../../src/console/tenantFetch.ts";
import { createTicketClaims } from "../../src/console/share/ticketClaims.ts";
import { createTurns } from "../../src/console/turns/turns.ts";
import { noStore } from "../../src/console/alone.ts";
import { createTicketStore, type TicketStore } from "../../src/console/kept/ticketStore.ts";
import type { Telemetry } from "../../src/console/wanted.ts";
import type { Database } from "../../src/database/connection.ts";
import { explain } from "../../src/program/explain.ts";
import type { Send } from "../../src/superoffice/http.ts";
import type { GetTicket, LogOn } from "../../src/superoffice/logOn.ts";
import { importPrivateKey } from "../../src/superoffice/privateKey.ts";
import type { Application } from "../../src/superoffice/tenant.ts";
import { createSigner, type Signer } from "../../src/superoffice/signToken.ts";
import { CLIENT_SECRET } from "./sampleTenants.ts";

const key = new URL("../../fixtures/keys/app-key.pkcs8.pem", import.meta.url);
export const sampleSigner = createSigner(await importPrivateKey(await readFile(key, "utf8")));
const never = new AbortController().signal;

export interface TestConsole {
  /** Logs on to a tenant, as a poll does. */
  logOn: LogOn;
  /** What a work script gets for a tenant. */
  fetchFor(tenant: Tenant): typeof fetch;
  clock: Clock;
  /** What memory keeps. */
  kept: Kept;
  /** Undefined without a database. */
  store: TicketStore | undefined;
  /** Its client secret may be replaced. */
  application: Application;
  /** The addresses below which tenants were called, in their order. */
  apis: string[];
}

export interface TestConsoleOptions {
  /** Like TICKET_REUSE. */
  reusesTickets?: boolean;
  requestTimeoutMs?: number;
  /** Without one nobody waits: a test's clock may stand still. */
  callsPerSecond?: number;
  sign?: Signer;
  /** Puts something between the console and its HTTP client. */
  around?: (send: Send) => Send;
  /** A clock in milliseconds that is never set back. */
  monotonicMs?: () => number;
  machineTime?: () => Date;
  log?: Logger;
  /** Where tickets are stored; nowhere when left out. */
  database?: Database;
  /** Whether other consoles make tickets, too. */
  shares?: boolean;
  telemetry?: Telemetry;
  giveUp?: AbortSignal;
}

export function createTestConsole(standIn: StandIn, options: TestConsoleOptions = {}): TestConsole {
  const { reusesTickets = true, requestTimeoutMs = 30_000, callsPerSecond = Infinity } = options;
  const { around = (send) => send } = options;
  const { monotonicMs = () => performance.now(), machineTime = () => new Date() } = options;
  const { sign = sampleSigner, log = getLogger("test"), telemetry, giveUp = never } = options;
  const { database, shares = false } = options;
  const client = createHttpClient(giveUp, requestTimeoutMs);
  const clock = createClock(machineTime);
  const apis: string[] = [];
  const noting: Send = (request) => {
    const [, api] = request.url.match(/^(.*\/api)\/v1\//) ?? [];
    if (api !== undefined) apis.push(api);
    return client(request);
  };
  const application = { loginUrl: standIn.loginUrl, clientSecret: CLIENT_SECRET };
  const kept = {
    tickets: createTickets(monotonicMs, log),
    states: createTenantStates(15_000, monotonicMs),
  };
  const store = database &&
    createTicketStore(application, kept, database, { explain, monotonicMs, log });
  const turns = createTurns(32);
  const claimed = store !== undefined && shares
    ? createTicketClaims(store, database!, turns.wait, giveUp).claimed
    : (newTicket: GetTicket) => newTicket;
  const { call, logOn } = compose(
    application,
    { pollMs: 15_000, requestTimeoutMs, reuseTickets: reusesTickets, callsPerSecond },
    { sign, send: around(noting), clock, monotonicMs, log, telemetry },
    { ...kept, store: store ?? noStore, claimed },
    giveUp,
    turns,
  );
  return {
    logOn,
    fetchFor(tenant) {
      const api = `${standIn.hostUrls[tenant.host ?? 0]}/${tenant.contextIdentifier}/api`;
      return createTenantFetch(tenant, api, call);
    },
    kept,
    store,
    application,
    clock,
    apis,
  };
}
