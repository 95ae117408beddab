import assert from "node:assert/strict";
import { test } from "node:test";
import { DatabaseError, openDatabase } from "../../src/database/connection.ts";
import { loadCustomers } from "../../src/database/loadCustomers.ts";
import { createNamed } from "../../src/program/findNamed.ts";
import { testDatabases } from "../support/testDatabase.ts";

for (const { name, start } of testDatabases) {
  test(`customers named on the command line, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);
    await sql`
      insert into customers (context_identifier, system_user_token, is_active)
      select case when n % 2 = 0 then 'Cust' else 'cust' end || n, 'App-' || n, n <> 2000
      from generate_series(1000, 3500) n`;
    const find = async (...given: string[]) => {
      const named = await createNamed(given, database)();
      return named instanceof DatabaseError ? assert.fail(named) : named;
    };

    await t.test("they are found as their rows spell them, whatever the letters' case", async () => {
      const named = await find("CUST1001", "cust3002", "Cust3002");
      assert.deepEqual([...new Set(named)].sort(), ["Cust3002", "cust1001"]);
    });

    await t.test("each that is not there or not active is told, with what to do", async () => {
      await assert.rejects(find("Cust1002", "cust2000", "Cust34999", "nobody\x1b[2J"), {
        code: "USAGE_WRONG",
        message: [
          "--customer cust2000: it is not active, so the console leaves it alone; " +
          "npm run customers -- resume Cust2000 has it taken again",
          "--customer Cust34999: there is no such customer, the nearest there are: cust3499, cust1499, cust1999",
          "--customer nobody\\u001b[2J: there is no such customer, nor one with a name like it",
        ].join("; "),
      });
    });

    await t.test("one of two rows that differ in case alone is enough to be active", async () => {
      await sql`insert into customers (context_identifier, system_user_token) values ('cust2000', 'a')`;
      assert.deepEqual((await find("CUST2000"))?.sort(), ["Cust2000", "cust2000"]);
    });

    await t.test("once found they stay, also when one is paused later", async () => {
      const named = createNamed(["cust1002"], database);
      assert.deepEqual(await named(), ["Cust1002"]);
      await sql`update customers set is_active = false where context_identifier = 'Cust1002'`;
      assert.deepEqual(await named(), ["Cust1002"]);
    });

    await database.end();
    await close();
  });
}

test("a database that does not answer is what the poll is given to tell, and no name as it was typed", async () => {
  const database = openDatabase("postgres://vendor@127.0.0.1:1/crm");
  const only = await createNamed(["cust1"], database)();
  assert.ok(only instanceof DatabaseError);
  await assert.rejects(async () => {
    for await (const page of loadCustomers(database, undefined, { only })) {
      assert.fail(`${page.length} customers were read`);
    }
  }, only);
  await database.end();
});
