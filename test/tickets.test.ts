import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { beforeEach, describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Customer } from "../src/loadCustomers.ts";
import { createTickets, TICKET_LIFETIME_MS, type Tickets } from "../src/tickets.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function customer(id: string, systemUserToken = `App-${id}`): Customer {
  return { id, contextIdentifier: `Cust${id}`, systemUserToken, lastSync: null, hasError: false };
}

let clock: number;
let tickets: Tickets;
let exchanges: number;
const anna = customer("1");
const bo = customer("2");

beforeEach(() => {
  clock = 1_000_000;
  exchanges = 0;
  tickets = createTickets(TICKET_LIFETIME_MS, () => clock);
});

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
  test("is not there before the first exchange", () => {
    assert.equal(tickets.get(anna), undefined);
  });

  test("is kept after its exchange, for its own customer alone", async () => {
    assert.equal(await tickets.renew(anna, exchange), "7T:1");
    assert.equal(tickets.get(anna), "7T:1");
    assert.equal(tickets.get(anna), "7T:1");
    assert.equal(tickets.get(bo), undefined);
    assert.equal(await tickets.renew(bo, exchange), "7T:2");
    assert.equal(tickets.get(anna), "7T:1");
    assert.equal(tickets.get(bo), "7T:2");
  });

  test("is renewed five minutes before the six hours from its making are over", async () => {
    await tickets.renew(anna, exchange);
    clock += 6 * HOUR - 5 * MINUTE - 1;
    assert.equal(tickets.get(anna), "7T:1");
    clock += 1;
    assert.equal(tickets.get(anna), undefined);
    await tickets.renew(anna, exchange);
    assert.equal(tickets.get(anna), "7T:2");
  });

  test("has its time anew from each use that the tenant accepted", async () => {
    await tickets.renew(anna, exchange);
    for (let use = 0; use < 10; use++) {
      clock += 5 * HOUR;
      assert.equal(tickets.get(anna), "7T:1");
      tickets.accepted(anna, "7T:1");
    }
    clock += TICKET_LIFETIME_MS;
    assert.equal(tickets.get(anna), undefined);
  });

  test("does not live longer for being looked at", async () => {
    await tickets.renew(anna, exchange);
    clock += 5 * HOUR;
    tickets.get(anna);
    clock += HOUR;
    assert.equal(tickets.get(anna), undefined);
  });

  test("has its time from the end of its exchange", async () => {
    const { exchange, end } = slowExchange();
    const made = tickets.renew(anna, exchange);
    clock += MINUTE;
    end();
    await made;
    clock += TICKET_LIFETIME_MS - 1;
    assert.equal(tickets.get(anna), "7T:slow");
    clock += 1;
    assert.equal(tickets.get(anna), undefined);
  });

  test("does not live longer for the acceptance of another one", async () => {
    await tickets.renew(anna, exchange);
    clock += 5 * HOUR;
    tickets.accepted(anna, "7T:another");
    clock += HOUR;
    assert.equal(tickets.get(anna), undefined);
  });

  test("is of no use when the row's system user token changed", async () => {
    await tickets.renew(anna, exchange);
    const changed = customer("1", "App-new");
    assert.equal(tickets.get(changed), undefined);
    await tickets.renew(changed, exchange);
    assert.equal(tickets.get(changed), "7T:2");
    assert.equal(tickets.get(anna), undefined);
  });

  test("is dropped when the tenant refused it", async () => {
    await tickets.renew(anna, exchange);
    await tickets.renew(bo, exchange);
    tickets.refused(anna, "7T:1");
    assert.equal(tickets.get(anna), undefined);
    assert.equal(tickets.get(bo), "7T:2");
  });

  test("stays when the tenant refused an older one", async () => {
    await tickets.renew(anna, exchange);
    await tickets.renew(anna, exchange);
    tickets.refused(anna, "7T:1");
    assert.equal(tickets.get(anna), "7T:2");
  });

  test("that is not kept can be accepted and refused without harm", () => {
    tickets.accepted(anna, "7T:1");
    tickets.refused(anna, "7T:1");
    assert.equal(tickets.get(anna), undefined);
  });
});

describe("an exchange", () => {
  test("is made once for all who ask for the same customer meanwhile", async () => {
    const { exchange, end } = slowExchange();
    const asked = Array.from({ length: 50 }, () => tickets.renew(anna, exchange));
    assert.equal(exchanges, 1);
    end();
    assert.deepEqual(new Set(await Promise.all(asked)), new Set(["7T:slow"]));
    assert.equal(exchanges, 1);
  });

  test("is made again for who asks after its end", async () => {
    await tickets.renew(anna, exchange);
    await tickets.renew(anna, exchange);
    assert.equal(exchanges, 2);
  });

  test("for one customer does not keep another waiting", async () => {
    const { exchange: slow, end } = slowExchange();
    const waiting = tickets.renew(anna, slow);
    assert.equal(await tickets.renew(bo, () => Promise.resolve("7T:bo")), "7T:bo");
    end();
    await waiting;
  });

  test("that fails, fails for all who wait for it and is not kept", async () => {
    const { exchange: failing, fail } = slowExchange();
    const asked = Array.from({ length: 3 }, () => tickets.renew(anna, failing));
    fail();
    for (const { status } of await Promise.allSettled(asked)) assert.equal(status, "rejected");
    assert.equal(exchanges, 1);
    assert.equal(tickets.get(anna), undefined);
    assert.equal(await tickets.renew(anna, exchange), "7T:2");
    assert.equal(tickets.get(anna), "7T:2");
  });
});

describe("with a lifetime of 0", () => {
  beforeEach(() => tickets = createTickets(0, () => clock));

  test("no ticket is kept", async () => {
    assert.equal(await tickets.renew(anna, exchange), "7T:1");
    assert.equal(tickets.get(anna), undefined);
    tickets.accepted(anna, "7T:1");
    assert.equal(tickets.get(anna), undefined);
    assert.equal(await tickets.renew(anna, exchange), "7T:2");
  });

  test("one exchange still serves all who ask for the same customer meanwhile", async () => {
    const { exchange, end } = slowExchange();
    const asked = [tickets.renew(anna, exchange), tickets.renew(anna, exchange)];
    end();
    assert.deepEqual(await Promise.all(asked), ["7T:slow", "7T:slow"]);
    assert.equal(exchanges, 1);
  });
});

describe("the memory that tickets take", () => {
  const MIB = 1024 * 1024;
  const gc = garbageCollector();
  const skip = gc === undefined && "the runtime does not let its memory be swept on demand";

  async function keep(count: number, firstId: number): Promise<void> {
    for (let id = firstId; id < firstId + count; id++) {
      await tickets.renew(
        numbered(id),
        () => Promise.resolve(`7T:${randomBytes(96).toString("base64")}`),
      );
    }
  }

  const numbered = (id: number) => customer(String(id), `App Name-${String(id).padStart(10, "0")}`);

  function heapUsed(): number {
    gc?.();
    return process.memoryUsage().heapUsed;
  }

  test("is below 100 MB for a hundred thousand", { skip }, async () => {
    const before = heapUsed();
    await keep(100_000, 1);
    assert.ok(heapUsed() - before < 100_000_000);
    for (let id = 1; id <= 100_000; id++) assert.ok(tickets.get(numbered(id)));
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
    assert.ok(tickets.get(numbered(1)));
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
