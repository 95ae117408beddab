import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { CallTenant, ReadTenantState } from "../../../src/superoffice/logOn.ts";
import { NetworkError, RequestTimeoutError } from "../../../src/superoffice/errors.ts";
import type { Tenant } from "../../../src/superoffice/tenant.ts";
import type { TenantState } from "../../../src/superoffice/tenantState.ts";
import { createTenantStates, type TenantStates } from "../../../src/console/kept/tenantStates.ts";

const POLL = 15_000;
const MINUTE = 60_000;

function tenant(id: string): Tenant {
  return { contextIdentifier: `Cust${id}`, systemUserToken: `App-${id}` };
}

let clock: number;
let states: TenantStates;
let reads: number;
const anna = tenant("1");
const bo = tenant("2");

beforeEach(() => {
  clock = 1_000_000;
  reads = 0;
  states = createTenantStates(POLL, () => clock);
});

/** The state as kept or read; each that is read has an address of its own. */
function get(tenant: Tenant, given: Partial<TenantState> = {}): Promise<TenantState> {
  return keptOr(tenant, ({ contextIdentifier }) => {
    const api = `https://online${++reads}.superoffice.com/${contextIdentifier}/api`;
    const state = { state: "Running", isRunning: true, api, validForMs: 5 * MINUTE, ...given };
    return Promise.resolve(state);
  });
}

function keptOr(tenant: Tenant, read: ReadTenantState): Promise<TenantState> {
  return states.kept(read)(tenant);
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
    await keptOr(anna, () => {
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

  test("is read once for all who ask at the same time", async () => {
    const all = await Promise.all([get(anna), get(anna), get(anna)]);
    assert.equal(reads, 1);
    assert.equal(new Set(all).size, 1);
  });

  test("is read again once its address was refused, the others' states are not", async () => {
    const { api } = await get(anna);
    await get(bo);
    states.drop(anna, { api: api! });
    assert.equal((await get(anna)).api, "https://online3.superoffice.com/Cust1/api");
    await get(anna);
    await get(bo);
    assert.equal(reads, 3);
  });

  test("stays when an older address was refused", async () => {
    const { api } = await get(anna);
    states.drop(anna, { api: api! });
    await get(anna);
    states.drop(anna, { api: api! });
    await get(anna);
    assert.equal(reads, 2);
  });

  for (
    const [error, times] of [
      [new NetworkError("reset"), 2],
      [new RequestTimeoutError("slow"), 1],
      [new TypeError("a mistake in the program"), 1],
    ] as const
  ) {
    test(`is read ${times === 1 ? "no second time" : "again"} when a call failed with ${error.name}`, async () => {
      const { api } = await get(anna);
      const failing: CallTenant = () => Promise.reject(error);
      const call = states.forgottenWhenUnreachable(failing);
      await assert.rejects(call(anna, { api: api!, ticket: "7T:1" }, { path: "" }), error);
      await get(anna);
      assert.equal(reads, times);
    });
  }

  test("can be dropped before it was read", async () => {
    states.drop(anna, { api: "https://online1.superoffice.com/Cust1/api" });
    await get(anna);
    assert.equal(reads, 1);
  });

  test("that could not be read is not kept", async () => {
    const failing = () => Promise.reject(new Error("no answer"));
    await assert.rejects(keptOr(anna, failing), { message: "no answer" });
    await get(anna);
    assert.equal(reads, 1);
  });

  test("that is over is not given in place of one that cannot be read", async () => {
    await get(anna);
    clock += 5 * MINUTE;
    const failing = () => Promise.reject(new Error("no answer"));
    await assert.rejects(keptOr(anna, failing), { message: "no answer" });
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
