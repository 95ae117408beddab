import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { openDatabase } from "../../src/database/connection.ts";
import { findIds, listenToConsoles, tellConsoles } from "../../src/database/tenantChanges.ts";
import { openDatabaseDoor } from "../support/databaseDoor.ts";
import { fillTable, makeTenants } from "../support/sampleTenants.ts";
import { testDatabases } from "../support/testDatabase.ts";

for (const { name, start } of testDatabases) {
  test(`what consoles tell each other, on ${name}`, async (t) => {
    const { sql, databaseUrl, isEmbedded, close } = await start();
    const database = openDatabase(databaseUrl);

    await t.test("customers are found by their names in lower case", async () => {
      await fillTable(sql, makeTenants(3));
      const rows = await sql`select id from customers order by id`;
      const ids = await findIds(["cust10003", "cust10001", "cust99999"], database);
      assert.deepEqual(ids.sort(), [rows[0]!["id"], rows[2]!["id"]]);
    });

    await t.test("telling is no trouble where nobody listens", async () => {
      await tellConsoles(["one", "it's «another»"], database);
      await tellConsoles([], database);
    });

    // The embedded one has a single session, which would hear what it says itself.
    if (!isEmbedded) {
      await t.test("who listens hears it, also after the database was away", async () => {
        const door = await openDatabaseDoor(databaseUrl, "a-password");
        const stop = new AbortController();
        const events = new EventEmitter();
        const troubles: unknown[] = [];
        const ended = listenToConsoles(
          door.databaseUrl,
          (text) => events.emit("heard", text),
          (error) => troubles.push(error),
          stop.signal,
        );
        await hears("first");
        door.cut();
        await hears("second");
        assert.equal(troubles.length, 0, String(troubles));
        stop.abort();
        await ended;

        /** Told until it is heard: when it listens, nothing says. */
        async function hears(text: string): Promise<void> {
          const heard = once(events, "heard");
          const telling = setInterval(() => void tellConsoles([text], database), 100);
          assert.deepEqual(await heard, [text]);
          clearInterval(telling);
          // What was told twice is heard twice.
          events.removeAllListeners();
        }
      });

      await t.test("trouble is told once while it lasts, and ends with a stop", async () => {
        const door = await openDatabaseDoor(databaseUrl, "a-password");
        await door.close();
        const stop = new AbortController();
        const troubles: unknown[] = [];
        let told = () => {};
        const isTold = new Promise<void>((resolve) => told = resolve);
        const ended = listenToConsoles(door.databaseUrl, () => {}, (error) => {
          troubles.push(error);
          told();
        }, stop.signal);
        await isTold;
        stop.abort();
        await ended;
        assert.match(String(troubles[0]), /cannot be reached/);
        assert.equal(troubles.length, 1);
      });
    }

    await database.end();
    await close();
  });
}
