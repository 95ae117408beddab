import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  type Change,
  createTenantChanges,
  type TenantChanges,
} from "../../../src/console/listeners/tenantChanges.ts";
import { createTenantStates } from "../../../src/console/kept/tenantStates.ts";
import type { Kept } from "../../../src/console/kept/ticketRow.ts";
import type { TicketStore } from "../../../src/console/kept/ticketStore.ts";
import { createTickets } from "../../../src/console/kept/tickets.ts";
import { TENANT_CHANGES, type TenantChange } from "../../../src/superoffice/notification.ts";
import { type JsonLine, openJsonLog } from "../../support/jsonLog.ts";

const NAMES = ["Cust10001", "Cust10002", "cust10003"];
const STATE = { state: "Running", isRunning: true, api: "https://a/api", validForMs: 1e6 };
const tenantOf = (contextIdentifier: string) => ({ contextIdentifier, systemUserToken: "token" });

let kept: Kept;
let changes: TenantChanges;
let afterwards: Change[][];
let back: string[];
let storeForgot: string[];
let lines: JsonLine[];
let whenDone: () => void;
let nowMs = 0;

beforeEach(async () => {
  [afterwards, back, storeForgot, lines] = [[], [], [], []];
  const log = await openJsonLog((line) => lines.push(line));
  kept = {
    tickets: createTickets(() => 0, log),
    states: createTenantStates(15_000, () => 0),
  };
  for (const tenant of NAMES.map(tenantOf)) {
    kept.tickets.put(tenant, `7T:${tenant.contextIdentifier}`, 1e6);
    kept.states.put(tenant, STATE, 1e6);
  }
  const store = {
    forget: (isOne, what) =>
      storeForgot.push(...NAMES.filter(isOne).map((name) => `${name} ${what}`)),
  } as Partial<TicketStore> as TicketStore;
  changes = createTenantChanges(
    { ...kept, store },
    (names) => {
      back.push(...names);
      whenDone();
    },
    (own) => void afterwards.push(own),
    () => nowMs,
    log,
  );
});
afterEach(() => changes.close());

/** Heeds changes; resolves when they are done. */
async function heed(all: [string, TenantChange][], isOwn = true): Promise<void> {
  const done = new Promise<void>((resolve) => whenDone = resolve);
  for (const [contextIdentifier, change] of all) changes.heed({ contextIdentifier, change }, isOwn);
  await done;
}

const haveTickets = () => NAMES.filter((name) => kept.tickets.find(tenantOf(name)) !== undefined);
const haveStates = () => NAMES.filter((name) => kept.states.find(tenantOf(name)) !== undefined);

describe("a change has the console look again:", () => {
  for (const change of TENANT_CHANGES) {
    test(change, async () => {
      await heed([["CUST10001", change]]);
      const others = NAMES.slice(1);
      assert.deepEqual(haveStates(), others);
      const isTicketForgotten = change === "BackupRestored";
      assert.deepEqual(haveTickets(), isTicketForgotten ? others : NAMES);
      assert.deepEqual(storeForgot, [
        `Cust10001 ${isTicketForgotten ? "ticketAndState" : "state"}`,
      ]);
      assert.deepEqual(back, change === "Resume" ? ["cust10001"] : []);
      assert.deepEqual(afterwards, [[{ contextIdentifier: "CUST10001", change }]]);
      assert.match(
        lines[0]!.message,
        /^CUST10001: SuperOffice says that .*; its state is read before the next call/,
      );
      assert.equal(lines[0]!["change"], change);
    });
  }

  test("several of one tenant, and of several, together", async () => {
    await heed([
      ["Cust10001", "BackupRestored"],
      ["Cust10001", "Resume"],
      ["Cust10003", "Move"],
      ["Cust99999", "Delete"],
    ]);
    assert.deepEqual(haveStates(), ["Cust10002"]);
    assert.deepEqual(haveTickets(), ["Cust10002", "cust10003"]);
    assert.deepEqual(back, ["cust10001"]);
    assert.equal(afterwards[0]!.length, 4);
  });

  test("one that another console tells goes no further", async () => {
    await heed([["Cust10001", "Move"]], false);
    assert.deepEqual(haveStates(), NAMES.slice(1));
    assert.deepEqual(afterwards, []);
    // Anybody in the database can tell it: it does not fill the log.
    assert.deepEqual(lines.map(({ level }) => level), ["debug"]);
    assert.match(lines[0]!.message, /^Cust10001: another console says that it moved/);
  });

  test("no more than a hundred tickets are made anew at once, whoever is said to be restored", async () => {
    const tenants = Array.from({ length: 150 }, (_, index) => tenantOf(`Restored${index}`));
    const held = () => tenants.filter((tenant) => kept.tickets.find(tenant) !== undefined).length;
    const hold = () => {
      for (const tenant of tenants) {
        kept.tickets.put(tenant, "7T:held", 1e6);
        kept.states.put(tenant, STATE, 1e6);
      }
    };
    hold();
    await heed(tenants.map((tenant) => [tenant.contextIdentifier, "BackupRestored"]));
    assert.equal(held(), 50);
    assert.ok(tenants.every((tenant) => kept.states.find(tenant) === undefined));
    nowMs += 5000;
    await heed(
      tenants.reverse().map((tenant) => [tenant.contextIdentifier, "BackupRestored"]),
      false,
    );
    assert.equal(held(), 40);
  });

  test("the console's own is heeded however many others tell", async () => {
    const many = Array.from({ length: 11_000 }, (_, index): [string, TenantChange] => [
      `Nobody${index}`,
      "BackupRestored",
    ]);
    await heed(many, false);
    // There is no room for more of the others' for a while.
    changes.heed({ contextIdentifier: "Cust10002", change: "Move" }, false);
    await heed([["Cust10001", "Move"]]);
    assert.deepEqual(haveStates(), NAMES.slice(1));
    assert.equal(afterwards.length, 1);
  });
});

test("the same again is heeded once more a while later, however often it comes", async () => {
  await heed([["Cust10001", "Move"], ["cust10001", "Move"]]);
  kept.states.put(tenantOf("Cust10001"), STATE, 1e6);
  await heed([["Cust10001", "Move"], ["Cust10001", "Move"]]);
  assert.deepEqual(haveStates(), NAMES.slice(1));
  assert.equal(lines.length, 2);
  assert.equal(afterwards.length, 2);
});

test("what is being read or made just then is not kept", async () => {
  const tenant = tenantOf("Cust10001");
  kept.states.forget(() => true);
  kept.tickets.forget(() => true);
  let give = (_: typeof STATE) => {};
  const read = kept.states.kept(() => new Promise((resolve) => give = resolve));
  let hand = (_: string) => {};
  const make = kept.tickets.kept(() => new Promise((resolve) => hand = resolve));
  const asked = [read(tenant), make(tenant)];
  await heed([["Cust10001", "BackupRestored"]]);
  give(STATE);
  hand("7T:old");
  assert.deepEqual(await Promise.all(asked), [STATE, "7T:old"]);
  assert.deepEqual([haveStates(), haveTickets()], [[], []]);
});
