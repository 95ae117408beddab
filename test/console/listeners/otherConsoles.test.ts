import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createOtherConsoles,
  type OtherConsoles,
} from "../../../src/console/listeners/otherConsoles.ts";
import type { TicketStore } from "../../../src/console/kept/ticketStore.ts";
import { type Database, openDatabase } from "../../../src/database/connection.ts";
import { loadCustomers } from "../../../src/database/loadCustomers.ts";
import { listenToConsoles } from "../../../src/database/tenantChanges.ts";
import { explain } from "../../../src/program/explain.ts";
import { openDatabaseDoor } from "../../support/databaseDoor.ts";
import { type JsonLine, openJsonLog } from "../../support/jsonLog.ts";
import { fillTable, makeTenants } from "../../support/sampleTenants.ts";
import { testDatabases } from "../../support/testDatabase.ts";

const lines: JsonLine[] = [];
const log = await openJsonLog((line) => lines.push(line));
const MOVE = { contextIdentifier: "cust10001", change: "Move" as const };
const RESTORED = { contextIdentifier: "CUST10002", change: "BackupRestored" as const };
const RESUME = { contextIdentifier: "Cust10003", change: "Resume" as const };

/** A store that notes what it is to forget. */
function createStore(): {
  store: TicketStore;
  forgot: string[];
  whenForgotten: (count: number) => Promise<void>;
} {
  const forgot: string[] = [];
  let tell = () => {};
  const store = {
    forgetStored(customers, what) {
      forgot.push(...customers.map(({ contextIdentifier }) => `${contextIdentifier} ${what}`));
      tell();
      return Promise.resolve();
    },
  } as Partial<TicketStore> as TicketStore;
  return {
    store,
    forgot,
    whenForgotten: (count) =>
      new Promise((resolve) => {
        tell = () => forgot.length >= count && resolve();
        tell();
      }),
  };
}

function create(
  database: Database,
  store: TicketStore | undefined,
  stop: AbortSignal,
): OtherConsoles {
  const load = (ids: string[]) => loadCustomers(database, undefined, { ids });
  return createOtherConsoles({ database, store, load, isShared: true }, stop, { explain, log });
}

for (const { name, start } of testDatabases) {
  test(`what changes have to do with the database, on ${name}`, async (t) => {
    const { sql, databaseUrl, isEmbedded, close } = await start();
    await fillTable(sql, makeTenants(4));
    await sql`
      insert into tickets (customer_id, refused_code, refused_row, refused_ms, refused_until)
      select id, 'TOKEN_REVOKED', 'row', 1000, now() + interval '1 hour' from customers`;
    const database = openDatabase(databaseUrl);
    const refused = async () =>
      (await sql`
        select context_identifier as name from customers join tickets on id = customer_id
        where refused_until is not null order by id`).map(({ name }) => name);

    await t.test("what is stored is forgotten, by the names that the rows have", async () => {
      const stop = new AbortController();
      const { store, forgot, whenForgotten } = createStore();
      const others = create(database, store, stop.signal);
      others.tell([MOVE, RESTORED, RESUME, { ...MOVE, contextIdentifier: "Cust99999" }]);
      await whenForgotten(3);
      stop.abort();
      await others.end();
      assert.deepEqual(forgot.sort(), [
        "Cust10001 state",
        "Cust10002 ticketAndState",
        "Cust10003 state",
      ]);
      assert.deepEqual(await refused(), ["Cust10001", "Cust10002", "Cust10004"]);
    });

    if (!isEmbedded) {
      await t.test("the others hear of it, and who told it does not heed it twice", async () => {
        const stop = new AbortController();
        const [one, other] = [1, 2].map(() => create(database, undefined, stop.signal));
        const heard = new Promise<string>((resolve) => {
          void listenToConsoles(databaseUrl, resolve, () => assert.fail(), stop.signal);
        });
        const telling = setInterval(() => one!.tell([RESTORED]), 100);
        const text = await heard;
        clearInterval(telling);
        assert.deepEqual(other!.understand(text), { ...RESTORED, from: JSON.parse(text).from });
        assert.equal(one!.understand(text), undefined);
        stop.abort();
        await one!.end();
      });

      await t.test("what a database does not take is told when it does", async () => {
        const door = await openDatabaseDoor(databaseUrl, "a-password");
        await door.close();
        const behind = openDatabase(door.databaseUrl);
        const stop = new AbortController();
        const { store, whenForgotten } = createStore();
        const others = create(behind, store, stop.signal);
        lines.length = 0;
        others.tell([MOVE]);
        while (lines.length === 0) await new Promise((go) => setTimeout(go, 5));
        assert.match(lines[0]!.message, /cannot be reached/);
        await door.open();
        await whenForgotten(1);
        stop.abort();
        await others.end();
        await behind.end();
      });
    }

    await database.end();
    await close();
  });
}

test("what no console tells is not understood", () => {
  const others = create(openDatabase("postgres://a@127.0.0.1:1/b"), undefined, AbortSignal.abort());
  const texts = [
    "",
    "hello",
    "null",
    "[]",
    "7",
    JSON.stringify({ ...MOVE }),
    JSON.stringify({ from: "a", ...MOVE, change: "Destroy" }),
    JSON.stringify({ from: "a", ...MOVE, change: 5 }),
    JSON.stringify({ from: "a", ...MOVE, contextIdentifier: "" }),
    JSON.stringify({ from: "a", ...MOVE, contextIdentifier: "C".repeat(101) }),
    JSON.stringify({ from: "a", ...MOVE, contextIdentifier: ["Cust1"] }),
  ];
  for (const text of texts) assert.equal(others.understand(text), undefined, text);
  assert.notEqual(others.understand(JSON.stringify({ from: "a", ...MOVE })), undefined);
});
