import assert from "node:assert/strict";
import { test } from "node:test";
import { addCalls, canReadCalls } from "../../src/database/callCounts.ts";
import { type Database, openDatabase } from "../../src/database/connection.ts";
import { removeCustomer } from "../../src/database/customerTable.ts";
import { testDatabases } from "../support/testDatabase.ts";
import { withRole } from "../support/withRole.ts";

for (const { name, start } of testDatabases) {
  test(`the table calls on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);
    await sql`insert into customers (context_identifier, system_user_token)
      select 'Cust' || n, 'token' from generate_series(1, 3) n`;
    const today = () =>
      sql<{ ago: number; customer: string; calls: number }[]>`
      select ((now() at time zone 'utc')::date - day)::int as ago, context_identifier as customer,
        calls::int
      from calls left join customers on customers.id = customer_id
      order by ago, customer`.then((rows) => [...rows]);

    await t.test("adds to the calls of today, of customers that are there", async () => {
      assert.equal(await addCalls([["Cust1", 5], ["Cust3", 1]], database), undefined);
      assert.equal(await addCalls([["Cust1", 2], ["Cust99", 7]], database), undefined);
      assert.equal(await addCalls([], database), undefined);
      assert.deepEqual(await today(), [
        { ago: 0, customer: "Cust1", calls: 7 },
        { ago: 0, customer: "Cust3", calls: 1 },
      ]);
      assert.equal(await canReadCalls(database), true);
    });

    await t.test("is cleared of customers that are there no more when a day begins", async () => {
      await sql`insert into calls select 78, (now() at time zone 'utc')::date - 1, 4`;
      await addCalls([["Cust3", 1]], database);
      assert.equal((await today()).length, 3);
      await addCalls([["Cust2", 1]], database);
      assert.deepEqual((await today()).map(({ customer }) => customer), [
        "Cust1",
        "Cust2",
        "Cust3",
      ]);
      await sql`delete from calls where customer_id = 2`;
      await sql`update calls set calls = 1 where customer_id = 3`;
    });

    await t.test("loses a customer that is removed, and only that, where that may be done", async () => {
      await sql`insert into customers (id, context_identifier, system_user_token)
        overriding system value values (90, 'Cust90', 'a')`;
      await addCalls([["Cust90", 3]], database);
      assert.deepEqual(await removeCustomer("cust90", database), ["Cust90"]);
      assert.deepEqual((await today()).map(({ customer }) => customer), ["Cust1", "Cust3"]);
      await sql`alter table calls rename to away`;
      await sql`insert into customers (id, context_identifier, system_user_token)
        overriding system value values (90, 'Cust90', 'a')`;
      assert.deepEqual(await removeCustomer("Cust90", database), ["Cust90"]);
      await sql`alter table away rename to calls`;
    });

    await t.test("is cleared of what is 100 days old when a day begins", async () => {
      await sql`update calls set day = day - 99 where customer_id = 1`;
      await sql`insert into calls select 2, (now() at time zone 'utc')::date - 100, 4`;
      await addCalls([["Cust3", 1]], database);
      assert.equal((await today()).length, 3);
      await addCalls([["Cust1", 3]], database);
      assert.deepEqual(await today(), [
        { ago: 0, customer: "Cust1", calls: 3 },
        { ago: 0, customer: "Cust3", calls: 2 },
        { ago: 99, customer: "Cust1", calls: 7 },
      ]);
    });

    await t.test("takes the calls that two consoles write at once", async () => {
      const other = openDatabase(databaseUrl);
      await Promise.all(
        [database, other, database, other].map((database, index) =>
          addCalls(
            index % 2 ? [["Cust2", 1], ["Cust3", 1]] : [["Cust3", 1], ["Cust2", 1]],
            database,
          )
        ),
      );
      await other.end();
      assert.equal((await today()).find(({ customer }) => customer === "Cust2")?.calls, 4);
    });

    await t.test("is of no use to who may not write it", async () => {
      await withRole(
        { sql, databaseUrl },
        (role) => `grant select on customers to ${role}`,
        async (asRole, role) => {
          const add = (database: Database) => addCalls([["Cust1", 1]], database);
          assert.match(`${(await asRole(add))?.message}`, /«.*» may not write the table calls in/);
          assert.match(
            `${(await asRole(add))?.remedy}`,
            /grant select, insert, update, delete on calls/,
          );
          assert.equal(await asRole(canReadCalls), false);
          await sql.unsafe(`grant select, insert, update, delete on calls to ${role}`);
          assert.equal(await asRole(add), undefined);
          assert.equal(await asRole(canReadCalls), true);
        },
      );
    });

    await t.test("is not to blame for a table customers that is not there", async () => {
      await sql`alter table customers rename to subscriptions`;
      await assert.rejects(addCalls([["Cust1", 1]], database), /no table «customers»/);
      await sql`alter table subscriptions rename to customers`;
    });

    await t.test("of another make, or that is not there, is told with the remedy", async () => {
      await sql`alter table calls rename column calls to minutes`;
      assert.match((await addCalls([["Cust1", 1]], database))?.message ?? "", /not as expected/);
      assert.equal(await canReadCalls(database), false);
      await sql`drop table calls`;
      const fault = await addCalls([["Cust1", 1]], database);
      assert.match(`${fault?.message}. ${fault?.remedy}`, /no table calls in .* customers -- init/);
      assert.equal(await canReadCalls(database), false);
    });

    await database.end();
    await close();
  });
}
