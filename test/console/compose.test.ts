import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Logger } from "@logtape/logtape";
import type { Place, StandIn, Tenant, Trouble } from "../../fixtures/standIn.ts";
import { StoppedError } from "../../src/console/errors.ts";
import type { Telemetry } from "../../src/console/wanted.ts";
import type { Send } from "../../src/superoffice/http.ts";
import type { Signer } from "../../src/superoffice/signToken.ts";
import type { Principal } from "../../src/superoffice/callTenant.ts";
import { SigningError, TenantNotRunningError } from "../../src/superoffice/errors.ts";
import { closeLog } from "../../src/program/log.ts";
import { TICKET_LIFETIME_MS } from "../../src/console/kept/tickets.ts";
import { type JsonLine, openJsonLog } from "../support/jsonLog.ts";
import { CLIENT_SECRET, makeTenants } from "../support/sampleTenants.ts";
import {
  createTestConsole,
  sampleSigner,
  type TestConsole,
  type TestConsoleOptions,
} from "../support/testConsole.ts";
import { startTestStandIn } from "../support/testStandIn.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const HOUR = 3600_000;
const CROWD = 20;

let standIn: StandIn;
let endTroubles: (() => void)[] = [];
let tenants: Tenant[];
let log: Logger;
let lines: JsonLine[];
/** A clock in milliseconds that is never set back. */
let monotonic: number;
/** The time of day by this machine. */
let machineTime: number;
let tested: TestConsole;
/** What was asked of the stand-in since the test began. */
let asked: () => Record<Place, number>;

before(async () => {
  standIn = await startTestStandIn(makeTenants(CROWD), { now: () => NOW });
  log = await openJsonLog((line) => lines.push(line));
});
after(async () => {
  await closeLog();
  await standIn.close();
});

beforeEach(() => {
  for (const endTrouble of endTroubles) endTrouble();
  endTroubles = [];
  tenants = makeTenants(CROWD);
  for (const tenant of tenants) standIn.tenants.set(tenant.contextIdentifier.toLowerCase(), tenant);
  standIn.forgetTickets();
  lines = [];
  monotonic = 1_000_000;
  machineTime = NOW;
  const { state, exchange, call, keys } = standIn.counts;
  asked = () => ({
    keys: standIn.counts.keys - keys,
    state: standIn.counts.state - state,
    exchange: standIn.counts.exchange - exchange,
    call: standIn.counts.call - call,
  });
  tested = makeConsole();
});

function makeConsole(options: TestConsoleOptions = {}): TestConsole {
  return createTestConsole(standIn, {
    monotonicMs: () => monotonic,
    machineTime: () => new Date(machineTime),
    log,
    ...options,
  });
}

function misbehave(trouble: Trouble): () => void {
  const endTrouble = standIn.misbehave(trouble);
  endTroubles.push(endTrouble);
  return endTrouble;
}

/** Does this once, when the place is asked, before it answers. */
function when(place: Place, act: () => void): void {
  const listener = (at: Place) => {
    if (at !== place) return;
    standIn.events.off("request", listener);
    act();
  };
  standIn.events.on("request", listener);
}

/** Calls a tenant, the first when left out. */
async function call(tenant = tenants[0]!, on = tested): Promise<Principal> {
  return (await on.logOn(tenant)).principal;
}

const apiOf = (host: 0 | 1) => `${standIn.hostUrls[host]}/${tenants[0]!.contextIdentifier}/api`;
const warnings = () => lines.filter(({ level }) => level === "warning");

describe("a tenant is called", () => {
  test("after its state was read and a ticket was made", async () => {
    assert.equal((await call()).associate, "Associate 10001");
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 1, call: 1 });
    assert.deepEqual(tested.apis, [apiOf(0)]);
  });

  test("and then again with the same state and ticket", async () => {
    await call();
    await call();
    await call();
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 1, call: 3 });
  });

  test("many at once, each with its own ticket and at its own address", async () => {
    const principals = await Promise.all(tenants.map((tenant) => call(tenant)));
    assert.deepEqual(
      principals.map(({ associate }) => associate),
      tenants.map(({ associate }) => associate),
    );
    assert.deepEqual(asked(), { keys: 1, state: CROWD, exchange: CROWD, call: CROWD });
  });

  test("with one exchange for all who ask for it at once", async () => {
    await Promise.all(Array.from({ length: 10 }, () => call()));
    assert.equal(asked().exchange, 1);
    assert.equal(asked().call, 10);
  });

  test("with a new ticket when the old one is about to expire, without being refused", async () => {
    await call();
    monotonic += TICKET_LIFETIME_MS;
    await call();
    assert.equal(asked().exchange, 2);
    assert.equal(asked().call, 2);
  });

  test("with the same ticket for as long as it is used", async () => {
    for (let use = 0; use < 5; use++) {
      await call();
      monotonic += 5 * HOUR;
    }
    assert.equal(asked().exchange, 1);
    assert.equal(asked().call, 5);
  });

  test("with a new ticket when the row's system user token changed", async () => {
    await call();
    tenants[0]!.systemUserToken = "Test App-new";
    await call();
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 2, call: 2 });
  });

  test("with a new ticket each time when none is kept", async () => {
    tested = makeConsole({ reusesTickets: false });
    await call();
    await call();
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 2, call: 2 });
  });

  test("and each step is logged with its duration, no secret is", async () => {
    await call();
    await call();
    assert.deepEqual(lines.map(({ level, customer, step }) => [level, customer, step]), [
      ["debug", "Cust10001", "state read"],
      ["debug", "Cust10001", "token signed"],
      ["debug", "Cust10001", "token exchanged for a ticket"],
      ["debug", "Cust10001", "tenant called"],
      ["debug", "Cust10001", undefined],
      ["debug", "Cust10001", "tenant called"],
    ]);
    for (const { step, ms } of lines) if (step !== undefined) assert.equal(typeof ms, "number");
    const text = JSON.stringify(lines);
    for (const secret of ["7T:", tenants[0]!.systemUserToken, CLIENT_SECRET]) {
      assert.ok(!text.includes(secret));
    }
  });
});

describe("a ticket that the tenant refuses", () => {
  test("is exchanged once, and the call repeated once", async () => {
    await call();
    standIn.forgetTickets();
    assert.equal((await call()).associate, "Associate 10001");
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 2, call: 3 });
    await call();
    assert.equal(asked().exchange, 2);
  });

  test("twice is an error, and there is no third call", async () => {
    await call();
    misbehave({ at: "call", how: { status: 401 } });
    await assert.rejects(call(), { code: "TICKET_REFUSED" });
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 2, call: 3 });
  });

  test("twice is not kept for the next time", async () => {
    misbehave({ at: "call", how: { status: 401 }, times: 2 });
    await assert.rejects(call(), { code: "TICKET_REFUSED" });
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 2, call: 2 });
    await call();
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 3, call: 3 });
  });

  test("leaves the other tenants' tickets alone", async () => {
    await Promise.all([call(tenants[0]), call(tenants[1])]);
    const { contextIdentifier } = tenants[0]!;
    misbehave({ at: "call", how: { status: 401 }, contextIdentifier, times: 1 });
    await Promise.all([call(tenants[0]), call(tenants[1])]);
    assert.equal(asked().exchange, 3);
  });
});

describe("a tenant that moved", () => {
  test("is looked up once, and called there with the same ticket", async () => {
    await call();
    tenants[0]!.host = 1;
    assert.equal((await call()).associate, "Associate 10001");
    assert.deepEqual(asked(), { keys: 1, state: 2, exchange: 1, call: 3 });
    assert.deepEqual(tested.apis, [apiOf(0), apiOf(0), apiOf(1)]);
    await call();
    assert.deepEqual(asked(), { keys: 1, state: 2, exchange: 1, call: 4 });
  });

  test("between the reading of its state and the call is found, too", async () => {
    when("exchange", () => tenants[0]!.host = 1);
    assert.equal((await call()).associate, "Associate 10001");
    assert.deepEqual(asked(), { keys: 1, state: 2, exchange: 1, call: 2 });
    assert.deepEqual(tested.apis, [apiOf(0), apiOf(1)]);
  });

  test("and is not found at its new address is an error, and looked up again next time", async () => {
    await call();
    const endTrouble = misbehave({ at: "call", how: { status: 421 } });
    await assert.rejects(call(), { code: "TENANT_MOVED" });
    assert.deepEqual(asked(), { keys: 1, state: 2, exchange: 1, call: 3 });
    endTrouble();
    await call();
    assert.deepEqual(asked(), { keys: 1, state: 3, exchange: 1, call: 4 });
  });

  test("and forgot the ticket is looked up once and exchanged for once", async () => {
    await call();
    tenants[0]!.host = 1;
    standIn.forgetTickets();
    await call();
    assert.deepEqual(asked(), { keys: 1, state: 2, exchange: 2, call: 4 });
    assert.deepEqual(tested.apis, [apiOf(0), apiOf(0), apiOf(1), apiOf(1)]);
  });

  test("and is not running there is not called any more", async () => {
    await call();
    when("call", () => tenants[0]!.state = "MigrationPending");
    tenants[0]!.host = 1;
    await assert.rejects(call(), { code: "TENANT_NOT_RUNNING", state: "MigrationPending" });
    assert.deepEqual(asked(), { keys: 1, state: 2, exchange: 1, call: 2 });
  });
});

describe("a tenant that takes no calls", () => {
  const meanings: [string, RegExp, RegExp][] = [
    ["Provisioning", /its state is Provisioning: it is being set up$/, /when it is back/],
    ["Deleted", /: it was deleted$/, /^It will not come back\./],
    ["Suspended", /: SuperOffice has closed it for now$/, /when it is back/],
    ["OfflineMaintenance", /: it is down for maintenance$/, /when it is back/],
    ["ProvisioningFailed", /: setting it up failed$/, /when it is back/],
    ["Deleting", /: it is being deleted$/, /when it is back/],
    ["DeleteFailed", /: deleting it failed$/, /when it is back/],
    ["MigrationPending", /: it is about to be moved$/, /when it is back/],
    ["Unknown", /: SuperOffice does not say why$/, /when it is back/],
  ];
  for (const [state, message, remedy] of meanings) {
    test(`because it is ${state} is told of, and no ticket is made`, async () => {
      tenants[0]!.state = state;
      await assert.rejects(call(), (error) => {
        assert.ok(error instanceof TenantNotRunningError);
        assert.equal(error.state, state);
        assert.match(error.message, message);
        assert.match(error.remedy, remedy);
        return true;
      });
      assert.deepEqual(asked(), { keys: 0, state: 1, exchange: 0, call: 0 });
    });
  }

  test("is called while it is in OnlineMaintenance", async () => {
    tenants[0]!.state = "OnlineMaintenance";
    await call();
    assert.equal(asked().call, 1);
  });

  test("is not asked for its state again before that is over", async () => {
    tenants[0]!.state = "Suspended";
    await assert.rejects(call(), { code: "TENANT_NOT_RUNNING" });
    tenants[0]!.state = "Running";
    await assert.rejects(call(), { code: "TENANT_NOT_RUNNING" });
    assert.equal(asked().state, 1);
    monotonic += 15 * 60_000;
    await call();
    assert.equal(asked().state, 2);
  });

  test("because it has no address is not called", async () => {
    const body = JSON.stringify({ State: "Running", IsRunning: true, Api: null });
    misbehave({ at: "state", how: { status: 200, body } });
    await assert.rejects(call(), { code: "TENANT_NOT_RUNNING", state: "Running" });
    assert.deepEqual(asked(), { keys: 0, state: 1, exchange: 0, call: 0 });
  });
});

for (const api of ["https://evil.invalid/Cust10001/api", "not an address", "http://10.0.0.1/api"]) {
  test(`for the untrusted address ${api} no ticket is made and nothing is called`, async () => {
    const body = JSON.stringify({ State: "Running", IsRunning: true, Api: api });
    misbehave({ at: "state", how: { status: 200, body } });
    await assert.rejects(call(), { code: "HOST_UNTRUSTED" });
    assert.deepEqual(asked(), { keys: 0, state: 1, exchange: 0, call: 0 });
    assert.deepEqual(tested.apis, []);
  });
}

describe("a wrong clock", () => {
  for (const [direction, ms] of [["ahead", HOUR], ["behind", -HOUR]] as const) {
    test(`that is an hour ${direction} is corrected once, and warned of once`, async () => {
      machineTime = NOW + ms;
      await call(tenants[0]);
      assert.equal(asked().exchange, 2);
      await call(tenants[1]);
      assert.equal(asked().exchange, 3);
      assert.deepEqual(
        warnings().map(({ customer, seconds }) => [customer, seconds]),
        [["Cust10001", HOUR / 1000]],
      );
    });
  }

  test("is warned of once when many customers meet it at the same time", async () => {
    machineTime = NOW + HOUR;
    let arrived = 0;
    let letThemPass = () => {};
    const until = new Promise<void>((resolve) => letThemPass = resolve);
    misbehave({ at: "exchange", how: { until }, times: CROWD });
    const count = (at: Place) => {
      if (at === "exchange" && ++arrived === CROWD) letThemPass();
    };
    standIn.events.on("request", count);
    const principals = await Promise.all(tenants.map((tenant) => call(tenant)));
    standIn.events.off("request", count);
    assert.equal(principals.length, CROWD);
    assert.deepEqual(asked(), { keys: 1, state: CROWD, exchange: 2 * CROWD, call: CROWD });
    assert.deepEqual(warnings().map(({ seconds }) => seconds), [3600]);
    assert.match(warnings()[0]!.message, /^This machine's clock is 3600 s ahead of SuperOffice's/);
  });

  test("that is set right later is used as it is again", async () => {
    machineTime = NOW + HOUR;
    await call(tenants[0]);
    machineTime = NOW;
    await call(tenants[1]);
    assert.equal(asked().exchange, 4);
    await call(tenants[2]);
    assert.equal(asked().exchange, 5);
  });

  test("is not suspected when it agrees with SuperOffice's", async () => {
    misbehave({ at: "exchange", how: { refuse: "InvalidTimestamp" } });
    await assert.rejects(call(), { code: "TIMESTAMP_INVALID" });
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 1, call: 0 });
    assert.deepEqual(warnings(), []);
    assert.deepEqual(tested.clock.now(), new Date(NOW));
  });

  test("is corrected once and not again when that does not help", async () => {
    machineTime = NOW + HOUR;
    misbehave({ at: "exchange", how: { refuse: "InvalidTimestamp" } });
    await assert.rejects(call(), { code: "TIMESTAMP_INVALID" });
    assert.equal(asked().exchange, 2);
    assert.equal(asked().call, 0);
  });

  for (const ms of [4 * 60_000, HOUR, 73 * 365 * 24 * HOUR]) {
    test(`is nobody's trouble where one answer's time is ${ms} ms off`, async () => {
      misbehave({
        at: "exchange",
        how: { refuse: "InvalidTimestamp" },
        contextIdentifier: "Cust10001",
      });
      tested = makeConsole({
        around: (send) => async (request) => {
          const answer = await send(request);
          const isHostile = String(request.body).includes("Cust10001");
          const date = new Date(NOW + ms).toUTCString();
          return isHostile ? { ...answer, headers: { ...answer.headers, date } } : answer;
        },
      });
      await assert.rejects(call(tenants[0]), { code: "TIMESTAMP_INVALID" });
      assert.deepEqual(tested.clock.now(), new Date(NOW));
      for (const tenant of tenants.slice(1, 4)) await call(tenant);
      assert.deepEqual(warnings(), []);
    });
  }

  test("that was corrected wrongly is forgotten when a JWT is not valid by it", async () => {
    tested.clock.adopt({ aheadMs: 4 * 60_000, now: () => new Date(NOW - 4 * 60_000) });
    await assert.rejects(call(tenants[0]), { code: "JWT_INVALID", message: /not valid before/ });
    await call(tenants[0]);
    assert.deepEqual(tested.clock.now(), new Date(NOW));
  });

  test("is not corrected for another refusal", async () => {
    machineTime = NOW + HOUR;
    misbehave({ at: "exchange", how: { refuse: "Denied" } });
    await assert.rejects(call(), { code: "ACCESS_DENIED" });
    assert.equal(asked().exchange, 1);
    assert.deepEqual(warnings(), []);
  });

  test("is not corrected when the answer does not tell SuperOffice's time", async () => {
    machineTime = NOW + HOUR;
    tested = makeConsole({
      around: (send) => async (...request) => ({ ...await send(...request), headers: {} }),
    });
    await assert.rejects(call(), { code: "TIMESTAMP_INVALID" });
    assert.equal(asked().exchange, 1);
    assert.deepEqual(warnings(), []);
  });
});

describe("passing trouble", () => {
  const troubles: [Place, Partial<Record<Place, number>>][] = [
    ["state", { state: 2 }],
    ["keys", { keys: 2 }],
    ["exchange", { exchange: 2 }],
    ["call", { call: 2 }],
  ];
  for (const [at, more] of troubles) {
    test(`at the place «${at}» is met with one repeat of that step alone`, async () => {
      misbehave({ at, how: { status: 503 }, times: 1 });
      assert.equal((await call()).associate, "Associate 10001");
      assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 1, call: 1, ...more });
    });
  }

  test("that takes all of the customer's time is not met with repeats", async () => {
    misbehave({ at: "exchange", how: { status: 503 } });
    when("exchange", () => monotonic += 30_000);
    await assert.rejects(call(), { code: "SERVICE_BUSY" });
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 1, call: 0 });
  });
});

describe("after the call failed", () => {
  test("because the network broke the state is read again", async () => {
    await call();
    misbehave({ at: "call", how: "reset", times: 1 });
    when("call", () => monotonic += 30_000);
    await assert.rejects(call(), { code: "NETWORK_FAILED" });
    assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 1, call: 2 });
    await call();
    assert.deepEqual(asked(), { keys: 1, state: 2, exchange: 1, call: 3 });
  });

  for (
    const [how, code] of [[{ status: 403 }, "FORBIDDEN"], ["notJson", "ANSWER_UNREADABLE"]] as const
  ) {
    test(`with ${code} the state and the ticket are kept`, async () => {
      await call();
      misbehave({ at: "call", how, times: 1 });
      await assert.rejects(call(), { code });
      await call();
      assert.deepEqual(asked(), { keys: 1, state: 1, exchange: 1, call: 3 });
    });
  }
});

describe("a signer that fails", () => {
  test("is a SigningError with what the signer said, and no exchange", async () => {
    const cause = new Error("the vault is sealed");
    tested = makeConsole({ sign: () => Promise.reject(cause) });
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof SigningError);
      assert.match(error.message, /could not be signed: the vault is sealed$/);
      assert.equal(error.cause, cause);
      return true;
    });
    assert.deepEqual(asked(), { keys: 0, state: 1, exchange: 0, call: 0 });
  });
});

describe("an exchange that was sent", () => {
  test("is not sent again when the keys that its JWT needs cannot be read after it", async () => {
    await call();
    standIn.forgetTickets();
    await standIn.rotateKeys();
    const before = asked();
    misbehave({ at: "keys", how: { status: 503 }, times: 2 });
    await call();
    assert.equal(asked().exchange - before.exchange, 1);
    assert.equal(asked().keys - before.keys, 3);
  });

  test("and whose keys cannot be read at all is an error, and still was sent once", async () => {
    await call();
    standIn.forgetTickets();
    await standIn.rotateKeys();
    const before = asked();
    misbehave({ at: "keys", how: { status: 404 } });
    await assert.rejects(call(), { code: "NOT_FOUND", message: /reading the key set/ });
    assert.equal(asked().exchange - before.exchange, 1);
  });

  test("is counted each time that it is sent, repeats included", async () => {
    const counted: string[] = [];
    const telemetry: Telemetry = {
      span: (_name, _attributes, work) => work(),
      count: (name) => counted.push(name),
    };
    tested = makeConsole({ telemetry });
    misbehave({ at: "exchange", how: { status: 503 }, times: 1 });
    await call();
    assert.equal(asked().exchange, 2);
    assert.deepEqual(counted, ["exchanges", "exchanges", "calls"]);
  });
});

describe("calls of a work script", () => {
  const contacts = "v1/Contact?$top=1";

  test("that meet a forgotten ticket at the same time exchange once", async () => {
    await call();
    standIn.forgetTickets();
    const fetch = tested.fetchFor(tenants[0]!);
    const responses = await Promise.all(Array.from({ length: 10 }, () => fetch(contacts)));
    assert.deepEqual(new Set(responses.map(({ status }) => status)), new Set([200]));
    assert.equal(asked().exchange, 2);
  });

  test("of which one learns late that its ticket was refused leave the new ticket alone", async () => {
    await call();
    standIn.forgetTickets();
    let answer = () => {};
    const until = new Promise<void>((resolve) => answer = resolve);
    misbehave({ at: "call", how: { until }, times: 1 });
    const fetch = tested.fetchFor(tenants[0]!);
    const arrived = new Promise<void>((resolve) => when("call", resolve));
    const late = fetch(contacts);
    await arrived;
    assert.equal((await fetch(contacts)).status, 200);
    answer();
    assert.equal((await late).status, 200);
    assert.equal(asked().exchange, 2);
  });

  test("that meet a move at the same time look the tenant up once", async () => {
    await call();
    tenants[0]!.host = 1;
    const fetch = tested.fetchFor({ ...tenants[0]!, host: 0 });
    await Promise.all(Array.from({ length: 10 }, () => fetch(contacts)));
    assert.equal(asked().state, 2);
    assert.equal(asked().exchange, 1);
  });

  test("use the log-on's own ticket, also when none is kept for the next log-on", async () => {
    tested = makeConsole({ reusesTickets: false });
    await call();
    const fetch = tested.fetchFor(tenants[0]!);
    await fetch(contacts);
    await Promise.all([fetch(contacts), fetch(contacts)]);
    assert.equal(asked().exchange, 1);
    await call();
    assert.equal(asked().exchange, 2);
  });

  test(
    "end with their own signal's reason while they wait for a repeat",
    { timeout: 30_000 },
    async () => {
      await call();
      misbehave({ at: "call", how: { status: 503, headers: { "Retry-After": "20" } } });
      const enough = new AbortController();
      const asking = tested.fetchFor(tenants[0]!)(contacts, { signal: enough.signal });
      when("call", () => setImmediate(() => enough.abort(new Error("enough"))));
      await assert.rejects(asking, { message: "enough" });
      assert.equal(asked().exchange, 1);
    },
  );

  test(
    "end with their own signal's reason while the login host is in trouble",
    { timeout: 30_000 },
    async () => {
      misbehave({ at: "exchange", how: "hang" });
      const enough = new AbortController();
      const asking = tested.fetchFor(tenants[0]!)(contacts, { signal: enough.signal });
      when("exchange", () => setImmediate(() => enough.abort(new Error("enough"))));
      await assert.rejects(asking, { message: "enough" });
      assert.equal(asked().call, 0);
    },
  );

  test("end at once when their signal comes in the same turn, or while their body is read", async () => {
    await call();
    misbehave({ at: "call", how: "hang" });
    const fetch = tested.fetchFor(tenants[0]!);
    const endless = new ReadableStream();
    const inits: RequestInit[] = [{}, { method: "POST", body: endless, duplex: "half" } as object];
    for (const init of inits) {
      const enough = new AbortController();
      const asking = fetch(contacts, { ...init, signal: enough.signal });
      enough.abort(new Error("enough"));
      await assert.rejects(asking, { message: "enough" });
      assert.equal(getEventListeners(enough.signal, "abort").length, 0);
    }
  });

  test("send the console's credentials, whatever the script puts in their place", async () => {
    const headers = { Authorization: "SOTicket 7T:another", "SO-AppToken": "another" };
    const response = await tested.fetchFor(tenants[0]!)(contacts, { headers });
    assert.equal(response.status, 200);
    assert.equal(asked().exchange, 1);
  });

  test("are said at debug level by method and path, with the code of what was refused", async () => {
    const fetch = tested.fetchFor(tenants[0]!);
    await fetch(contacts);
    await fetch("v1/Nothing", { method: "DELETE" });
    assert.deepEqual(
      lines.filter(({ step }) => /^[A-Z]+ /.test(String(step))).map(({ customer, step, code }) => [
        customer,
        step,
        code,
      ]),
      [
        ["Cust10001", "GET /v1/Contact", undefined],
        ["Cust10001", "DELETE /v1/Nothing", "NOT_FOUND"],
      ],
    );
  });
});

describe("a login host that answers 401", () => {
  for (const at of ["state", "keys", "exchange"] as const) {
    test(`at the place «${at}» is the login host's trouble, and no ticket's`, async () => {
      misbehave({ at, how: { status: 401 } });
      await assert.rejects(call(), { code: "LOGIN_HOST_REFUSED" });
      assert.equal(asked()[at], 1);
      assert.equal(asked().call, 0);
    });
  }
});

describe("a login host in trouble", () => {
  for (const how of ["reset", { status: 503 }] as const) {
    test(`(${JSON.stringify(how)}) forgets no tenant's state`, async () => {
      await call();
      standIn.forgetTickets();
      misbehave({ at: "exchange", how, times: 1 });
      when("exchange", () => monotonic += 30_000);
      await assert.rejects(call());
      monotonic += 1;
      await call();
      assert.equal(asked().state, 1);
    });
  }
});

describe("a stop", () => {
  test("before a ticket is made lets nothing be signed", async () => {
    const giveUp = new AbortController();
    let signed = 0;
    const sign: Signer = (data) => {
      signed++;
      return sampleSigner(data);
    };
    const reason = new StoppedError("Stopped before it was done");
    const around = (send: Send): Send => async (request) => {
      const answer = await send(request);
      giveUp.abort(reason);
      return answer;
    };
    tested = makeConsole({ sign, around, giveUp: giveUp.signal });
    await assert.rejects(call(), { code: "STOPPED" });
    assert.equal(asked().state, 1);
    assert.equal(signed, 0);
  });
});

test("a log-on's own call counts to the calls that a script may make in a second, its exchange does not", async () => {
  tested = makeConsole({ callsPerSecond: 2 });
  await call();
  const fetch = tested.fetchFor(tenants[0]!);
  await fetch("v1/Contact/1");
  const enough = new AbortController();
  const waiting = fetch("v1/Contact/1", { signal: enough.signal });
  await tested.fetchFor(tenants[1]!)("v1/Contact/1");
  enough.abort(new Error("enough"));
  await assert.rejects(waiting, { message: "enough" });
  assert.deepEqual(asked(), { keys: asked().keys, state: 2, exchange: 2, call: 3 });
});

describe("a span", () => {
  test("bears the failure of a call whose status is no exception", async () => {
    const ended: [string, unknown][] = [];
    const telemetry: Telemetry = {
      async span(name, _attributes, work, failureOf) {
        const result = await work();
        ended.push([name, (failureOf?.(result) as { code: string } | undefined)?.code]);
        return result;
      },
      count() {},
    };
    tested = makeConsole({ telemetry });
    await call();
    standIn.forgetTickets();
    await call();
    assert.deepEqual(ended.map(([name, code]) => code === undefined ? name : `${name}: ${code}`), [
      "state read",
      "token signed",
      "token exchanged for a ticket",
      "tenant called",
      "customer",
      "tenant called: TICKET_REFUSED",
      "token signed",
      "token exchanged for a ticket",
      "tenant called",
      "customer",
    ]);
  });
});
