import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { type Backoff, createBackoff } from "../../src/console/backoff.ts";
import type { Customer } from "../../src/database/loadCustomers.ts";

const POLL = 15_000;
const MINUTE = 60_000;

let clock: number;
let backoff: Backoff;
let anna: Customer;
let bo: Customer;

function customer(id: string): Customer {
  const systemUserToken = `App-${id}`;
  const row = {
    id,
    contextIdentifier: `Cust${id}`,
    systemUserToken,
    lastSync: null,
    lastWork: null,
  };
  return { ...row, hasError: false, databaseAheadMs: 0 };
}

beforeEach(() => {
  clock = 1_000_000;
  backoff = createBackoff(POLL, () => clock);
  anna = customer("1");
  bo = customer("2");
});

/** Refuses a customer, whose error is then written, and gives for how many milliseconds it is left alone. */
function refuse(customer: Customer, backoff: Backoff): number {
  backoff.refused(customer, "ACCESS_DENIED");
  customer.hasError = true;
  const refusedAt = clock;
  while (!backoff.mayTry(customer)) clock += 1000;
  return clock - refusedAt;
}

describe("a customer", () => {
  test("may be tried when nothing is known of it", () => {
    assert.equal(backoff.mayTry(anna), true);
  });

  test("that was refused is left alone, the others are not", () => {
    backoff.refused(anna, "ACCESS_DENIED");
    assert.equal(backoff.mayTry(anna), false);
    assert.equal(backoff.mayTry(bo), true);
  });

  test("that was refused may be tried when its time has come, and not a moment before", () => {
    backoff.refused(anna, "ACCESS_DENIED");
    clock += 2 * POLL - 1;
    assert.equal(backoff.mayTry(anna), false);
    clock += 1;
    assert.equal(backoff.mayTry(anna), true);
    assert.equal(backoff.mayTry(anna), true);
  });

  test("is left alone for 2 polls, then 4, 8 and so on, at most 15 minutes", () => {
    const waits = Array.from({ length: 9 }, () => refuse(anna, backoff));
    assert.deepEqual(waits, [
      2 * POLL,
      4 * POLL,
      8 * POLL,
      16 * POLL,
      32 * POLL,
      15 * MINUTE,
      15 * MINUTE,
      15 * MINUTE,
      15 * MINUTE,
    ]);
  });

  test("is left alone for 15 minutes at most when polls are rare, too", () => {
    const rare = createBackoff(60 * MINUTE, () => clock);
    assert.equal(refuse(anna, rare), 15 * MINUTE);
    assert.equal(refuse(anna, rare), 15 * MINUTE);
  });

  test("starts anew when it passed", () => {
    assert.equal(refuse(anna, backoff), 2 * POLL);
    assert.equal(refuse(anna, backoff), 4 * POLL);
    backoff.passed(anna);
    assert.equal(backoff.mayTry(anna), true);
    assert.equal(refuse(anna, backoff), 2 * POLL);
  });

  test("that passed does not set another free", () => {
    backoff.refused(anna, "ACCESS_DENIED");
    backoff.passed(bo);
    assert.equal(backoff.mayTry(anna), false);
  });

  test("may be tried at once when its system user token changed, and starts anew", () => {
    refuse(anna, backoff);
    backoff.refused(anna, "ACCESS_DENIED");
    assert.equal(backoff.mayTry(anna), false);
    anna.systemUserToken = "App-new";
    assert.equal(backoff.mayTry(anna), true);
    assert.equal(refuse(anna, backoff), 2 * POLL);
  });

  test("is left alone while its error is not written yet", () => {
    backoff.refused(anna, "ACCESS_DENIED");
    for (let look = 0; look < 5; look++) assert.equal(backoff.mayTry(anna), false);
  });

  test("may be tried at once when its error was there and is cleared, and starts anew", () => {
    refuse(anna, backoff);
    backoff.refused(anna, "ACCESS_DENIED");
    assert.equal(backoff.mayTry(anna), false);
    anna.hasError = false;
    assert.equal(backoff.mayTry(anna), true);
    assert.equal(backoff.mayTry(anna), true);
    assert.equal(refuse(anna, backoff), 2 * POLL);
  });

  test("whose error was written before it was refused is left alone", () => {
    anna.hasError = true;
    backoff.refused(anna, "ACCESS_DENIED");
    assert.equal(backoff.mayTry(anna), false);
    assert.equal(backoff.mayTry(anna), false);
  });

  test("may be tried at once when its error is cleared after a second refusal", () => {
    refuse(anna, backoff);
    backoff.refused(anna, "ACCESS_DENIED");
    anna.hasError = false;
    assert.equal(backoff.mayTry(anna), true);
  });
});
