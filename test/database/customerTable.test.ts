// The command line's side of this file is tested with the command customers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../src/database/connection.ts";
import { assertMayStore, storeToken } from "../../src/database/customerTable.ts";
import { testDatabases } from "../support/testDatabase.ts";
import { withRole } from "../support/withRole.ts";

for (const { name, start } of testDatabases) {
  test(`tokens are stored on ${name}`, async (t) => {
    const { sql, databaseUrl, isEmbedded, close } = await start();
    const database = openDatabase(databaseUrl);
    const tokens = async () =>
      (await sql`select system_user_token as token from customers order by id`)
        .map(({ token }) => token);

    await t.test("once, and by who comes later only where that replaces", async () => {
      const store = (customer: string, token: string, replaces: boolean) =>
        storeToken(customer, token, replaces, database);
      assert.equal((await store("Cust1", "a", true)).stored, "added");
      assert.deepEqual(await store("cust1", "b", true), {
        stored: "replaced",
        customers: ["Cust1"],
      });
      assert.deepEqual(await store("CUST1", "c", false), {
        stored: "exists",
        customers: ["CUST1"],
      });
      assert.deepEqual(await tokens(), ["b"]);
    });

    await t.test(
      "once, where somebody else is adding the same",
      { skip: isEmbedded && "it has one session" },
      async () => {
        for (const replaces of [false, true]) {
          await sql`delete from customers`;
          const storing = await sql.begin(async (other) => {
            await other`
              insert into customers (context_identifier, system_user_token) values ('Cust1', 'a')`;
            const storing = storeToken("Cust1", "b", replaces, database);
            // It waits for the other, which it does not see yet.
            while (
              (await sql`select from pg_stat_activity where wait_event_type = 'Lock'
              and datname = current_database()`).length === 0
            );
            return [storing];
          });
          assert.equal((await storing[0]!).stored, replaces ? "replaced" : "exists");
          assert.deepEqual(await tokens(), [replaces ? "b" : "a"]);
        }
      },
    );

    const refused = { code: "DATABASE_TROUBLE", remedy: /grant select, update.*insert, delete/ };
    await t.test("for whoever may, which is seen without storing one", async () => {
      await withRole(
        { sql, databaseUrl },
        (role) => `grant select, update on customers to ${role}`,
        async (asRole, role) => {
          await assert.rejects(
            asRole((own) => assertMayStore({ adds: true, replaces: true }, own)),
            refused,
          );
          await asRole((own) => assertMayStore({ adds: false, replaces: true }, own));
          await sql.unsafe(`
        revoke update on customers from ${role};
        grant insert (context_identifier, system_user_token) on customers to ${role};`);
          await asRole((own) => assertMayStore({ adds: true, replaces: false }, own));
          await assert.rejects(
            asRole((own) => assertMayStore({ adds: true, replaces: true }, own)),
            refused,
          );
          await sql.unsafe(`
        grant update (system_user_token, is_active, last_error) on customers to ${role};`);
          await asRole((own) => assertMayStore({ adds: true, replaces: true }, own));
          assert.deepEqual(await tokens(), ["b"]);
        },
      );
    });

    await database.end();
    await close();
  });
}
