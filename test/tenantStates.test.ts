import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { Customer } from "../src/loadCustomers.ts";
import type { TenantState } from "../src/tenantState.ts";
import { createTenantStates, type TenantStates } from "../src/tenantStates.ts";

const POLL = 15_000;
const MINUTE = 60_000;

function customer(id: string, contextIdentifier = `Cust${id}`): Customer {
  return { id, contextIdentifier, systemUserToken: `App-${id}`, lastSync: null, hasError: false };
}

let clock: number;
let states: TenantStates;
let reads: number;
const anna = customer("1");
const bo = customer("2");

beforeEach(() => {
  clock = 1_000_000;
  reads = 0;
  states = createTenantStates(POLL, () => clock);
});

/** The state as kept or read; each that is read has an address of its own. */
async function get(customer: Customer, given: Partial<TenantState> = {}): Promise<TenantState> {
  return states.get(customer) ?? await states.renew(customer, () => {
    const api = `https://online${++reads}.superoffice.com/${customer.contextIdentifier}/api`;
    const state = { state: "Running", isRunning: true, api, validForMs: 5 * MINUTE, ...given };
    return Promise.resolve(state);
  });
}

describe("a tenant's state", () => {
  test("is kept until it is no longer valid, and then read again", async () => {
    const first = await get(anna);
    clock += 5 * MINUTE - 1;
    assert.equal((await get(anna)).api, first.api);
    assert.equal(reads, 1);
    clock += 1;
    assert.equal((await get(anna)).api, "https://online2.superoffice.com/Cust1/api");
    assert.equal(reads, 2);
  });

  test("is kept for its own customer alone", async () => {
    await get(anna);
    assert.equal((await get(bo)).api, "https://online2.superoffice.com/Cust2/api");
    assert.equal((await get(anna)).api, "https://online1.superoffice.com/Cust1/api");
    assert.equal(reads, 2);
  });

  for (const validForMs of [0, 1, 2 * POLL - 1, 2 * POLL]) {
    test(`is kept for two polls when it is valid for ${validForMs} ms`, async () => {
      await get(anna, { validForMs });
      clock += 2 * POLL - 1;
      await get(anna);
      assert.equal(reads, 1);
      clock += 1;
      await get(anna);
      assert.equal(reads, 2);
    });
  }

  for (const validForMs of [15 * MINUTE, 15 * MINUTE + 1, 1000 * 24 * 60 * MINUTE, Infinity]) {
    test(`is kept for 15 minutes when it is valid for ${validForMs} ms`, async () => {
      await get(anna, { validForMs });
      clock += 15 * MINUTE - 1;
      await get(anna);
      assert.equal(reads, 1);
      clock += 1;
      await get(anna);
      assert.equal(reads, 2);
    });
  }

  test("is kept from when it was read, not from when it was asked for", async () => {
    await states.renew(anna, () => {
      clock += MINUTE;
      return Promise.resolve({ state: "Running", isRunning: true, api: null, validForMs: MINUTE });
    });
    clock += MINUTE - 1;
    await get(anna);
    assert.equal(reads, 0);
  });

  test("does not live longer for being looked at", async () => {
    await get(anna);
    clock += 3 * MINUTE;
    await get(anna);
    clock += 3 * MINUTE;
    await get(anna);
    assert.equal(reads, 2);
  });

  test("is kept when the tenant takes no calls, too", async () => {
    const given = { state: "Suspended", isRunning: false, api: null };
    await get(anna, given);
    assert.equal((await get(anna)).state, "Suspended");
    assert.equal(reads, 1);
  });

  test("is read again when the row's context identifier changed", async () => {
    await get(anna);
    const changed = customer("1", "Cust9");
    assert.equal((await get(changed)).api, "https://online2.superoffice.com/Cust9/api");
    await get(changed);
    assert.equal(reads, 2);
  });

  test("is read again once it was forgotten, the others' states are not", async () => {
    await get(anna);
    await get(bo);
    states.forget(anna);
    assert.equal((await get(anna)).api, "https://online3.superoffice.com/Cust1/api");
    await get(anna);
    await get(bo);
    assert.equal(reads, 3);
  });

  test("can be forgotten before it was read", async () => {
    states.forget(anna);
    await get(anna);
    assert.equal(reads, 1);
  });

  test("that could not be read is not kept", async () => {
    const failing = () => Promise.reject(new Error("no answer"));
    await assert.rejects(states.renew(anna, failing), { message: "no answer" });
    await get(anna);
    assert.equal(reads, 1);
  });

  test("that is over is not given in place of one that cannot be read", async () => {
    await get(anna);
    clock += 5 * MINUTE;
    const failing = () => Promise.reject(new Error("no answer"));
    await assert.rejects(states.renew(anna, failing), { message: "no answer" });
  });

  test("that is still valid outlives the sweep of those that are over", async () => {
    await get(bo, { validForMs: 0 });
    clock += 10 * MINUTE;
    await get(anna, { validForMs: 15 * MINUTE });
    clock += 10 * MINUTE;
    await get(bo);
    assert.equal(reads, 3);
    await get(anna);
    assert.equal(reads, 3);
  });
});
