import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { Customer } from "../../../src/database/loadCustomers.ts";
import { createResumed, type Resumed } from "../../../src/console/listeners/resumed.ts";
import { createMemory, type Memory } from "../../../src/console/memory.ts";
import { scheduled } from "../../../src/console/scheduled.ts";
import { RevokedError } from "../../../src/superoffice/errors.ts";

const POLL_MS = 15_000;
const CUSTOMER: Customer = {
  id: "1",
  contextIdentifier: "Cust10001",
  systemUserToken: "token",
  lastSync: new Date(0),
  lastWork: null,
  hasError: false,
  databaseAheadMs: 0,
};

let now: number;
let resumed: Resumed;
let memory: Memory;
const stop = new AbortController();

beforeEach(() => {
  now = 1_000_000;
  resumed = createResumed();
  const own = createMemory(POLL_MS, 30_000, "host", () => now);
  const intervals = { pollMs: POLL_MS, tenantMs: 1000 * POLL_MS };
  memory = resumed.heeding(scheduled(own, intervals, stop.signal, () => now));
});

/** What becomes of the customer in a poll: who is taken is logged on to, or fails. */
function poll(error?: Error, isHere = true): string {
  now += POLL_MS;
  const roll = memory.callRoll();
  try {
    if (!isHere) return "absent";
    roll.isHere(CUSTOMER);
    const moment = memory.momentOf(CUSTOMER);
    if (moment === "notDue") return moment;
    const taken = memory.take(CUSTOMER);
    if (taken !== "taken") return taken;
    if (error === undefined) memory.succeeded(CUSTOMER);
    else memory.failed(CUSTOMER, error, now);
    memory.giveBack(CUSTOMER, true);
    return taken;
  } finally {
    roll.complete();
  }
}

describe("a customer that is back", () => {
  test("is taken at the next poll, whatever its moment, and then at its moments again", () => {
    assert.equal(poll(), "notDue");
    resumed.areBack(["cust10001"]);
    assert.equal(poll(), "taken");
    assert.equal(poll(), "notDue");
  });

  test("is taken though it was refused a moment ago", () => {
    resumed.areBack(["cust10001"]);
    assert.equal(poll(new RevokedError("no")), "taken");
    assert.equal(poll(), "waiting");
    resumed.areBack(["cust10001"]);
    assert.equal(poll(), "taken");
  });

  test("is taken at the poll after that where it is in hand", () => {
    resumed.areBack(["cust10001"]);
    memory.callRoll();
    memory.momentOf(CUSTOMER);
    memory.take(CUSTOMER);
    resumed.areBack(["cust10001"]);
    assert.equal(poll(), "stillInHand");
    memory.giveBack(CUSTOMER, true);
    assert.equal(poll(), "taken");
  });

  test("is forgotten when a whole poll has not found it", () => {
    poll();
    resumed.areBack(["cust10001"]);
    poll(undefined, false);
    assert.equal(poll(), "taken", "it is new, since it was not there");
    assert.equal(poll(), "notDue");
  });

  test("is nobody else", () => {
    poll();
    resumed.areBack(["cust1000", "cust100011"]);
    assert.equal(poll(), "notDue");
  });
});
