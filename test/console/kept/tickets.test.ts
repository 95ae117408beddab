import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { beforeEach, describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Tenant } from "../../../src/superoffice/tenant.ts";
import { getLogger } from "@logtape/logtape";
import {
  createTickets,
  TICKET_LIFETIME_MS,
  type Tickets,
} from "../../../src/console/kept/tickets.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function tenant(id: string, systemUserToken = `App-${id}`): Tenant {
  return { contextIdentifier: `Cust${id}`, systemUserToken };
}

let clock: number;
let tickets: Tickets;
let exchanges: number;
const anna = tenant("1");
const bo = tenant("2");

beforeEach(() => {
  clock = 1_000_000;
  exchanges = 0;
  tickets = createTickets(() => clock, getLogger("test"));
});

/** The ticket that is kept, else the one that this makes. */
function get(tenant: Tenant, make: () => Promise<string> = exchange): Promise<string> {
  return tickets.kept(make)(tenant);
}

/** The ticket that is kept. */
async function kept(tenant: Tenant): Promise<string | undefined> {
  return await get(tenant, () => Promise.reject(new Error("none"))).catch(() => undefined);
}

/** Says that the tenant answered a call with that ticket so. */
async function answered(tenant: Tenant, ticket: string, status: number): Promise<void> {
  const answer = {
    purpose: "the call",
    host: "host",
    status,
    headers: {},
    bytes: new Uint8Array(),
  };
  await tickets.renewedByUse(() => Promise.resolve({ api: "", ticket, answer }))(tenant, {
    path: "",
  });
}

/** An exchange whose tickets are numbered. */
function exchange(): Promise<string> {
  return Promise.resolve(`7T:${++exchanges}`);
}

/** An exchange that ends when it is told to. */
function slowExchange(): { exchange: () => Promise<string>; end(): void; fail(): void } {
  let end = () => {};
  let fail = () => {};
  const made = new Promise<string>((resolve, reject) => {
    end = () => resolve("7T:slow");
    fail = () => reject(new Error("refused"));
  });
  return {
    exchange: () => {
      exchanges++;
      return made;
    },
    end,
    fail,
  };
}

describe("a ticket", () => {
  test("is not there before the first exchange", async () => {
    assert.equal(await kept(anna), undefined);
  });

  test("is kept after its exchange, for its own customer alone", async () => {
    assert.equal(await get(anna, exchange), "7T:1");
    assert.equal(await kept(anna), "7T:1");
    assert.equal(await kept(anna), "7T:1");
    assert.equal(await kept(bo), undefined);
    assert.equal(await get(bo, exchange), "7T:2");
    assert.equal(await kept(anna), "7T:1");
    assert.equal(await kept(bo), "7T:2");
  });

  test("is renewed five minutes before the six hours from its making are over", async () => {
    await get(anna, exchange);
    clock += 6 * HOUR - 5 * MINUTE - 1;
    assert.equal(await kept(anna), "7T:1");
    clock += 1;
    assert.equal(await kept(anna), undefined);
    await get(anna, exchange);
    assert.equal(await kept(anna), "7T:2");
  });

  test("has its time anew from each use that the tenant accepted", async () => {
    await get(anna, exchange);
    for (let use = 0; use < 10; use++) {
      clock += 5 * HOUR;
      assert.equal(await kept(anna), "7T:1");
      await answered(anna, "7T:1", 200);
    }
    clock += TICKET_LIFETIME_MS;
    assert.equal(await kept(anna), undefined);
  });

  test("does not live longer for being looked at", async () => {
    await get(anna, exchange);
    clock += 5 * HOUR;
    await kept(anna);
    clock += HOUR;
    assert.equal(await kept(anna), undefined);
  });

  test("has its time from the end of its exchange", async () => {
    const { exchange, end } = slowExchange();
    const made = get(anna, exchange);
    clock += MINUTE;
    end();
    await made;
    clock += TICKET_LIFETIME_MS - 1;
    assert.equal(await kept(anna), "7T:slow");
    clock += 1;
    assert.equal(await kept(anna), undefined);
  });

  test("does not live longer for a use that the tenant did not accept", async () => {
    await get(anna);
    for (const status of [400, 401, 404, 500]) {
      clock += HOUR;
      await answered(anna, "7T:1", status);
    }
    clock += 2 * HOUR;
    assert.equal(await kept(anna), undefined);
  });

  test("does not live longer for the acceptance of another one", async () => {
    await get(anna, exchange);
    clock += 5 * HOUR;
    await answered(anna, "7T:another", 200);
    clock += HOUR;
    assert.equal(await kept(anna), undefined);
  });

  test("is of no use when the row's system user token changed", async () => {
    await get(anna, exchange);
    const changed = tenant("1", "App-new");
    assert.equal(await kept(changed), undefined);
    await get(changed, exchange);
    assert.equal(await kept(changed), "7T:2");
    assert.equal(await kept(anna), undefined);
  });

  test("is dropped when the tenant refused it", async () => {
    await get(anna, exchange);
    await get(bo, exchange);
    tickets.drop(anna, { ticket: "7T:1" });
    assert.equal(await kept(anna), undefined);
    assert.equal(await kept(bo), "7T:2");
  });

  test("stays when the tenant refused an older one", async () => {
    await get(anna);
    tickets.drop(anna, { ticket: "7T:1" });
    await get(anna);
    tickets.drop(anna, { ticket: "7T:1" });
    assert.equal(await kept(anna), "7T:2");
  });

  test("that is not kept can be accepted and refused without harm", async () => {
    await answered(anna, "7T:1", 200);
    tickets.drop(anna, { ticket: "7T:1" });
    assert.equal(await kept(anna), undefined);
  });
});

describe("an exchange", () => {
  test("is made once for all who ask for the same customer meanwhile", async () => {
    const { exchange, end } = slowExchange();
    const asked = Array.from({ length: 50 }, () => get(anna, exchange));
    assert.equal(exchanges, 1);
    end();
    assert.deepEqual(new Set(await Promise.all(asked)), new Set(["7T:slow"]));
    assert.equal(exchanges, 1);
  });

  test("is made again for who asks after its ticket was refused", async () => {
    tickets.drop(anna, { ticket: await get(anna) });
    await get(anna);
    assert.equal(exchanges, 2);
  });

  test("is made anew for another token while one is under way, whose end does not harm it", async () => {
    const { exchange: slow, end } = slowExchange();
    const old = get(anna, slow);
    const changed = tenant("1", "App-new");
    const { exchange: slowToo, end: endToo } = slowExchange();
    const asked = [get(changed, slowToo)];
    end();
    assert.equal(await old, "7T:slow");
    asked.push(get(changed, () => Promise.reject(new Error("a second one"))));
    endToo();
    assert.deepEqual(await Promise.all(asked), ["7T:slow", "7T:slow"]);
    assert.equal(exchanges, 2);
  });

  test("for one customer does not keep another waiting", async () => {
    const { exchange: slow, end } = slowExchange();
    const waiting = get(anna, slow);
    assert.equal(await get(bo, () => Promise.resolve("7T:bo")), "7T:bo");
    end();
    await waiting;
  });

  test("that fails, fails for all who wait for it and is not kept", async () => {
    const { exchange: failing, fail } = slowExchange();
    const asked = Array.from({ length: 3 }, () => get(anna, failing));
    fail();
    for (const { status } of await Promise.allSettled(asked)) assert.equal(status, "rejected");
    assert.equal(exchanges, 1);
    assert.equal(await kept(anna), undefined);
    assert.equal(await get(anna, exchange), "7T:2");
    assert.equal(await kept(anna), "7T:2");
  });
});

describe("forgotten before each log-on", () => {
  const logOn = (make: () => Promise<string>) =>
    tickets.forgottenBefore(async (tenant) => {
      const ticket = await get(tenant, make);
      return {
        principal: { associate: "Anna", associateId: 7, fullName: null, userType: null },
        api: "",
        ticket,
      };
    });

  test("a ticket is made anew by each, and serves until the next", async () => {
    assert.equal((await logOn(exchange)(anna)).ticket, "7T:1");
    assert.equal(await kept(anna), "7T:1");
    assert.equal((await logOn(exchange)(anna)).ticket, "7T:2");
    assert.equal(await kept(anna), "7T:2");
  });

  test("one exchange still serves all who ask for the same customer meanwhile", async () => {
    const { exchange, end } = slowExchange();
    const asked = [logOn(exchange)(anna), logOn(exchange)(anna)];
    end();
    const tickets = (await Promise.all(asked)).map(({ ticket }) => ticket);
    assert.deepEqual(tickets, ["7T:slow", "7T:slow"]);
    assert.equal(exchanges, 1);
  });
});

describe("the memory that tickets take", () => {
  const MIB = 1024 * 1024;
  const gc = garbageCollector();
  const skip = gc === undefined && "the runtime does not let its memory be swept on demand";

  async function keep(count: number, firstId: number): Promise<void> {
    for (let id = firstId; id < firstId + count; id++) {
      await get(
        numbered(id),
        () => Promise.resolve(`7T:${randomBytes(96).toString("base64")}`),
      );
    }
  }

  const numbered = (id: number) => tenant(String(id), `App Name-${String(id).padStart(10, "0")}`);

  function heapUsed(): number {
    gc?.();
    return process.memoryUsage().heapUsed;
  }

  test("is below 100 MB for a hundred thousand", { skip }, async () => {
    const before = heapUsed();
    await keep(100_000, 1);
    assert.ok(heapUsed() - before < 100_000_000);
    for (let id = 1; id <= 100_000; id++) assert.ok(await kept(numbered(id)));
  });

  test("is given back by those of customers that are active no more", { skip }, async () => {
    await keep(1, 1);
    const before = heapUsed();
    await keep(50_000, 2);
    const full = heapUsed();
    assert.ok(full - before > 5 * MIB);
    clock += TICKET_LIFETIME_MS;
    await keep(1, 1);
    assert.ok(heapUsed() - before < (full - before) / 10);
    assert.ok(await kept(numbered(1)));
  });
});

function garbageCollector(): (() => void) | undefined {
  try {
    setFlagsFromString("--expose-gc");
    const found: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
    return typeof found === "function" ? () => void found() : undefined;
  } catch {
    return undefined;
  }
}
