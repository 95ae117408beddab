// The one way in for tests of behaviour: a console made of the real parts, whose clocks the test sets.
import { readFile } from "node:fs/promises";
import { getLogger, type Logger } from "@logtape/logtape";
import type { StandIn, Tenant } from "../fixtures/standIn.ts";
import { type Clock, createClock } from "../src/clock.ts";
import type { Send } from "../src/http.ts";
import { createHttpClient } from "../src/httpClient.ts";
import { createKeySet } from "../src/keySet.ts";
import type { Customer } from "../src/loadCustomers.ts";
import { type LoggedOn, logOn } from "../src/logOn.ts";
import { importPrivateKey } from "../src/privateKey.ts";
import { createSigner, type Signer } from "../src/signToken.ts";
import { createTenantFetch } from "../src/tenantFetch.ts";
import { noTelemetry } from "../src/telemetry.ts";
import { createTenantStates } from "../src/tenantStates.ts";
import { createTickets, TICKET_LIFETIME_MS } from "../src/tickets.ts";
import type { Tools } from "../src/step.ts";
import { CLIENT_SECRET } from "./sampleTenants.ts";

const key = new URL("../fixtures/keys/app-key.pkcs8.pem", import.meta.url);
const sign = createSigner(await importPrivateKey(await readFile(key, "utf8")));
const client = createHttpClient();

export interface TestConsole {
  /** Logs on to a tenant, as a poll does. */
  logOn(tenant: Tenant): Promise<LoggedOn>;
  /** What a work script gets for a tenant. */
  fetchFor(tenant: Tenant): Promise<typeof fetch>;
  clock: Clock;
  /** The addresses below which tenants were called, in their order. */
  apis: string[];
}

export interface TestConsoleOptions {
  /** Like TICKET_REUSE. */
  reusesTickets?: boolean;
  requestTimeoutMs?: number;
  sign?: Signer;
  /** Puts something between the console and its HTTP client. */
  around?: (send: Send) => Send;
  /** A clock in milliseconds that is never set back. */
  monotonicMs?: () => number;
  machineTime?: () => Date;
  log?: Logger;
}

export function createTestConsole(standIn: StandIn, options: TestConsoleOptions = {}): TestConsole {
  const { reusesTickets = true, requestTimeoutMs = 30_000, around = (send) => send } = options;
  const { monotonicMs = () => performance.now(), machineTime = () => new Date() } = options;
  const { log = getLogger("test") } = options;
  const apis: string[] = [];
  const noting: Send = (request, limits) => {
    const [, api] = request.url.match(/^(.*\/api)\/v1\//) ?? [];
    if (api !== undefined) apis.push(api);
    return client(request, limits);
  };
  const http = {
    send: around(noting),
    timeoutMs: requestTimeoutMs,
    signal: new AbortController().signal,
  };
  const tools: Tools = {
    application: { loginUrl: standIn.loginUrl, clientSecret: CLIENT_SECRET },
    sign: options.sign ?? sign,
    keySet: createKeySet(standIn.loginUrl, http, monotonicMs),
    tickets: createTickets(reusesTickets ? TICKET_LIFETIME_MS : 0, monotonicMs),
    states: createTenantStates(15_000, monotonicMs),
    http,
    clock: createClock(machineTime),
    telemetry: noTelemetry,
    monotonicMs,
  };
  const logFor = ({ contextIdentifier }: Tenant) => log.with({ customer: contextIdentifier });
  return {
    logOn: (tenant) => logOn(customerOf(tenant), tools, logFor(tenant)),
    fetchFor(tenant) {
      const api = `${standIn.hostUrls[tenant.host ?? 0]}/${tenant.contextIdentifier}/api`;
      return Promise.resolve(createTenantFetch(customerOf(tenant), api, tools, logFor(tenant)));
    },
    clock: tools.clock,
    apis,
  };
}

function customerOf({ contextIdentifier, systemUserToken }: Tenant): Customer {
  const id = contextIdentifier.slice("Cust".length);
  return { id, contextIdentifier, systemUserToken, lastSync: null, hasError: false };
}
