import assert from "node:assert/strict";
import { test } from "node:test";
import { type Database, openDatabase } from "../../src/database/connection.ts";
import { loadCustomers } from "../../src/database/loadCustomers.ts";
import { addLastWork, canReadLastWork, findLastWorkFault } from "../../src/database/lastWork.ts";
import { recordResults } from "../../src/database/recordResults.ts";
import { testDatabases } from "../support/testDatabase.ts";
import { withRole } from "../support/withRole.ts";

for (const { name, start } of testDatabases) {
  test(`the column last_work on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);

    await t.test("is at fault in nothing as the schema has it", async () => {
      assert.equal(await findLastWorkFault(database), undefined);
      assert.equal(await addLastWork(database), false);
    });

    await t.test("is added to a table that lacks it, which is said until then", async () => {
      await sql`alter table customers drop column last_work`;
      const fault = await findLastWorkFault(database);
      assert.match(
        fault?.message ?? "",
        /no column last_work in the table «customers» in «.*» at 127/,
      );
      assert.match(fault?.remedy ?? "", /customers -- init \(or: alter table .* timestamptz\)$/);
      assert.equal(await canReadLastWork(database), false);
      assert.equal(await addLastWork(database), true);
      assert.equal(await findLastWorkFault(database), undefined);
      assert.equal(await addLastWork(database), false);
    });

    await t.test("of another type is of no use", async () => {
      await sql`alter table customers alter column last_work type text`;
      assert.match((await findLastWorkFault(database))?.message ?? "", /is of the type text$/);
      await sql`
        alter table customers alter column last_work type timestamptz using last_work::timestamptz`;
    });

    await t.test("is not added to a view, but used where the view has it and can be updated", async () => {
      await sql`alter table customers rename to subscriptions`;
      await sql`create view customers as select id, is_active from subscriptions`;
      const fault = await addLastWork(database);
      assert.ok(fault instanceof Error);
      assert.match(
        `${fault.message}. ${fault.remedy}`,
        /in the view .*Add it .* to the view, and to/,
      );
      await sql`drop view customers`;
      await sql`create view customers as select * from subscriptions`;
      assert.equal(await findLastWorkFault(database), undefined);
      await sql`drop view customers`;
      await sql`create view customers as select distinct * from subscriptions`;
      assert.match((await findLastWorkFault(database))?.remedy ?? "", /make the view one that can/);
      await sql`drop view customers`;
      await sql`alter table subscriptions rename to customers`;
    });

    await t.test("is as if it was not there for who may not read and write it", async () => {
      await withRole({ sql, databaseUrl }, (role) => `
        grant select (id, context_identifier, system_user_token, is_active, last_sync, last_error),
          update (last_sync, last_error) on customers to ${role};`, async (asRole, role) => {
        await sql`insert into customers (context_identifier, system_user_token) values ('Cust1', 'a')`;
        const first = (database: Database) =>
          loadCustomers(database, undefined, { withLastWork: true }).next();
        const { value } = await asRole(first);
        assert.match(
          `${value?.[0]?.lastWork}`,
          /The user «.*» may not read and write the column last_work/,
        );
        assert.equal(await asRole(canReadLastWork), false);
        await sql.unsafe(`grant select (last_work) on customers to ${role}`);
        assert.match(
          (await asRole(findLastWorkFault))?.remedy ?? "",
          /update \(last_work\) on cust/,
        );
        assert.equal(await asRole(canReadLastWork), true);
        await sql.unsafe(`grant update (last_work) on customers to ${role}`);
        assert.equal(await asRole(findLastWorkFault), undefined);
        const done = { id: "1", contextIdentifier: "Cust1", syncedAt: null, error: null };
        const worked = { beganAt: new Date(7), resumed: false };
        await asRole((database) => recordResults([{ ...done, worked }], database));
        assert.deepEqual((await asRole(first)).value?.[0]?.lastWork, new Date(7));

        await sql`alter table customers drop column last_work`;
        await asRole((database) => recordResults([{ ...done, worked: null }], database));
        const fault = await asRole(addLastWork);
        assert.ok(fault instanceof Error);
        assert.match(`${fault.message}. ${fault.remedy}`, /must be owner .*owner run: alter table/);
      });
    });

    await t.test("of no table at all is nobody's fault", async () => {
      await sql`drop table customers`;
      assert.equal(await findLastWorkFault(database), undefined);
    });

    await database.end();
    await close();
  });
}
