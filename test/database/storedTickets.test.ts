import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { type Database, DatabaseError, openDatabase } from "../../src/database/connection.ts";
import {
  addTickets,
  clearTickets,
  readTickets,
  TicketTableError,
  writeTickets,
} from "../../src/database/storedTickets.ts";
import { testDatabases } from "../support/testDatabase.ts";

const schema = await readFile(new URL("../../fixtures/schema.sql", import.meta.url), "utf8");
const bytes = (...numbers: number[]) => new Uint8Array(numbers);

for (const { name, start } of testDatabases) {
  test(`stored tickets, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);
    const stored = async () => (await sql`select * from tickets order by customer_id`).length;

    await t.test("are read as they were written, for the customers that are asked for", async () => {
      const all = Array.from({ length: 256 }, (_, byte) => byte);
      await writeTickets(
        [
          { id: "3", sealed: bytes(...all) },
          { id: "1", sealed: bytes(1) },
          { id: "9007199254740993", sealed: bytes(0) },
        ],
        "one",
        database,
      );
      const found = await readTickets(["1", "2", "3"], database);
      assert.deepEqual([...found.keys()].sort(), ["1", "3"]);
      assert.deepEqual([...found.get("3")!], all);
      const [[id] = []] = await readTickets(["9007199254740993"], database);
      assert.equal(id, "9007199254740993");
      assert.equal((await readTickets([], database)).size, 0);
    });

    await t.test("are replaced by what is written later, also when two consoles write at once", async () => {
      const of = (byte: number) =>
        Array.from({ length: 500 }, (_, index) => ({ id: `${index + 1}`, sealed: bytes(byte) }));
      const another = openDatabase(databaseUrl);
      await Promise.all([
        writeTickets(of(1), "one", database),
        writeTickets(of(2).reverse(), "one", another),
        writeTickets(of(3), "one", database),
      ]);
      await another.end();
      await writeTickets([...of(4), { id: "500", sealed: bytes(4) }], "one", database);
      const found = await readTickets(of(0).map(({ id }) => id), database);
      assert.deepEqual(new Set([...found.values()].map(([byte]) => byte)), new Set([4]));
      assert.equal(found.size, 500);
    });

    await t.test("are cleared away when they have expired, or belong to nobody", async () => {
      await sql`truncate tickets`;
      await sql`
        insert into customers (context_identifier, system_user_token)
        values ('Cust1', 'a'), ('Cust2', 'b')`;
      await writeTickets(["1", "2", "3"].map((id) => ({ id, sealed: bytes(1) })), "one", database);
      await sql`update tickets set written_at = now() - interval '6 h 50 min' where customer_id = 1`;
      await sql`update tickets set written_at = now() - interval '7 h 10 min' where customer_id = 2`;
      await clearTickets(database);
      assert.deepEqual([...(await readTickets(["1", "2", "3"], database)).keys()], ["1"]);
    });

    await t.test("have a table that is made where it is missing, also beside a view", async () => {
      assert.equal(await addTickets(schema, database), false);
      assert.equal(await stored(), 1);
      await sql`drop table tickets`;
      await assert.rejects(readTickets(["1"], database), (error) => {
        assert.ok(error instanceof TicketTableError && error instanceof DatabaseError);
        assert.match(
          `${error.message}. ${error.remedy}`,
          /no table «tickets»\. .*customers -- init/,
        );
        return true;
      });
      await sql`alter table customers rename to subscriptions`;
      await sql`create view customers as select * from subscriptions`;
      assert.equal(await addTickets(schema, database), true);
      assert.equal(await stored(), 0);
      await clearTickets(database);
      await sql`drop view customers`;
      await sql`alter table subscriptions rename to customers`;
    });

    await t.test("leave a table of the same name alone that is another program's", async () => {
      await sql`drop table tickets`;
      await sql`create table tickets (seat text)`;
      const fault = await addTickets(schema, database);
      await sql`drop table tickets`;
      assert.match(`${fault}`, /«tickets» in .* is not as expected: .*customer_id/);
    });

    await t.test("are not for who may not use or make the table, who is told what to do", async () => {
      const role = `console_${database.options.database}_tickets`;
      await sql.unsafe(`
        create role ${role};
        revoke create on schema public from public;
        grant usage on schema public to ${role};
        grant select, update on customers to ${role};`);
      // One session for all, as the embedded Postgres has.
      const limited = openDatabase(databaseUrl.replace(/(\?.*)?$/, "?max=1"));
      const asRole = async <T>(ask: (database: Database) => Promise<T>) => {
        await limited.unsafe(`set role ${role}`);
        try {
          return await ask(limited);
        } finally {
          await limited.unsafe("reset role");
        }
      };
      const fault = await asRole((database) => addTickets(schema, database));
      assert.ok(fault instanceof TicketTableError);
      assert.match(
        `${fault.message}. ${fault.remedy}`,
        /could not be made: permission denied .*psql .*schema\.sql, and: grant select, insert, update, delete on tickets to "/,
      );
      assert.equal(await addTickets(schema, database), true);
      await sql.unsafe(`grant select on tickets to ${role}`);
      assert.equal(await asRole((database) => addTickets(schema, database)), false);
      await assert.rejects(
        asRole((database) => writeTickets([{ id: "1", sealed: bytes(1) }], "one", database)),
        /may not use the table «tickets» .*permission denied/,
      );
      await sql.unsafe(`grant insert, update, delete on tickets to ${role}`);
      await asRole((database) => writeTickets([{ id: "1", sealed: bytes(1) }], "one", database));
      await asRole(clearTickets);
      await limited.end();
      await sql.unsafe(`drop owned by ${role}; drop role ${role};`);
    });

    await database.end();
    await close();
  });
}
