import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../src/database/connection.ts";
import { clearTickets, readTickets, writeTickets } from "../../src/database/storedTickets.ts";
import { testDatabases } from "../support/testDatabase.ts";

const bytes = (...numbers: number[]) => new Uint8Array(numbers);

for (const { name, start } of testDatabases) {
  test(`stored tickets, on ${name}`, async (t) => {
    const { sql, databaseUrl, isEmbedded, close } = await start();
    const database = openDatabase(databaseUrl);

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

    await t.test("are not held up by a row that somebody keeps locked", {
      skip: isEmbedded && "the embedded Postgres has one session",
    }, async () => {
      const of = (byte: number) => ["1", "2", "3"].map((id) => ({ id, sealed: bytes(byte) }));
      const found = async () =>
        [...await readTickets(["1", "2", "3"], database)].sort().map(([, [byte]]) => byte);
      await writeTickets(of(5), "one", database);
      await sql`update tickets set written_at = now() - interval '8 h' where customer_id = 2`;
      const holder = await sql.reserve();
      await holder`begin`;
      await holder`select from tickets where customer_id = 2 for update`;
      assert.deepEqual(await writeTickets(of(6), "one", database), ["2"]);
      assert.deepEqual(await found(), [6, 5, 6]);
      await clearTickets(database);
      assert.deepEqual(await found(), [5]);
      await holder`rollback`;
      holder.release();
      assert.deepEqual(await writeTickets(of(7), "one", database), []);
      assert.deepEqual(await found(), [7, 7, 7]);
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

    await database.end();
    await close();
  });
}
