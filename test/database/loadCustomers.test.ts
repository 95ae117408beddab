import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../src/database/connection.ts";
import { countCustomers, loadCustomers } from "../../src/database/loadCustomers.ts";
import { testDatabases } from "../support/testDatabase.ts";

for (const { name, start } of testDatabases) {
  test(`loadCustomers on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);
    await sql`
      insert into customers (context_identifier, system_user_token, is_active)
      select 'Cust' || n, 'App-' || n, n % 10 <> 0 from generate_series(1, 2500) as n`;

    await t.test("active customers come once each, in the order of their ids, over many pages", async () => {
      const numbers: number[] = [];
      let mostAtOnce = 0;
      for await (const page of loadCustomers(database)) {
        mostAtOnce = Math.max(mostAtOnce, page.length);
        numbers.push(...page.map((customer) => Number(customer.contextIdentifier.slice(4))));
      }
      const all = Array.from({ length: 2500 }, (_, index) => index + 1);
      assert.deepEqual(numbers, all.filter((number) => number % 10 !== 0));
      assert.equal(mostAtOnce, 1000);
    });

    await t.test("a customer carries what the later steps need", async () => {
      await sql`update customers set last_sync = '2026-01-02T03:04:05Z' where id = 1`;
      const monotonicMs = 1_000_000;
      const [{ now } = {}] = await sql`select clock_timestamp() as now`;
      const { value } = await loadCustomers(database, () => monotonicMs).next();
      const { databaseAheadMs, ...customer } = value![0]!;
      assert.ok(databaseAheadMs + monotonicMs >= now?.getTime());
      assert.deepEqual(customer, {
        id: "1",
        contextIdentifier: "Cust1",
        systemUserToken: "App-1",
        lastSync: new Date("2026-01-02T03:04:05Z"),
        lastWork: null,
        hasError: false,
      });
    });

    await t.test("the last work is read when it is asked for, or comes as the reason why not", async () => {
      const at = new Date("2026-01-02T03:04:05.678Z");
      await sql`update customers set last_work = ${at} where id = 1`;
      const lastWork = async (withLastWork: boolean) => {
        const { value } = await loadCustomers(database, undefined, { withLastWork }).next();
        return value?.[0]?.lastWork;
      };
      assert.equal(await lastWork(false), null);
      assert.deepEqual(await lastWork(true), at);
      await sql`update customers set last_work = null where id = 1`;
      assert.equal(await lastWork(true), null);
      await sql`alter table customers drop column last_work`;
      assert.match(`${await lastWork(true)}`, /There is no column last_work in the table/);
      assert.equal(await lastWork(false), null);
      await sql`alter table customers add column last_work timestamptz`;
    });

    await t.test("of those named, the active ones alone come, and are counted", async () => {
      const only = ["Cust2001", "Cust3", "Cust10", "Cust99999", "cust4"];
      const names: string[] = [];
      for await (const page of loadCustomers(database, undefined, { only })) {
        names.push(...page.map(({ contextIdentifier }) => contextIdentifier));
      }
      assert.deepEqual(names, ["Cust3", "Cust2001"]);
      assert.equal(await countCustomers(database, only), 2);
      assert.equal(await countCustomers(database), 2250);
    });

    await t.test("a customer says whether its last error is still there", async () => {
      const hasError = async () => (await loadCustomers(database).next()).value?.[0]?.hasError;
      await sql`update customers set last_error = 'refused' where id = 1`;
      assert.equal(await hasError(), true);
      await sql`update customers set last_error = null where id = 1`;
      assert.equal(await hasError(), false);
    });

    await t.test("a view works, also with ids of another kind and without a token", async () => {
      await sql`alter table customers rename to subscriptions`;
      await sql`create view customers as select 7 as id, 'Cust7' as context_identifier,
        null as system_user_token, true as is_active, null::timestamptz as last_sync, '' as last_error`;
      const viewing = openDatabase(databaseUrl);
      const { value } = await loadCustomers(viewing).next();
      await viewing.end();
      await sql`drop view customers`;
      await sql`alter table subscriptions rename to customers`;
      assert.equal(value?.[0]?.systemUserToken, "");
    });

    await t.test("other queries go through while customers are being read", async () => {
      const customers = loadCustomers(database);
      await customers.next();
      assert.equal((await database`select 1 as one`)[0]?.["one"], 1);
      await customers.return();
    });

    await database.end();
    await close();
  });
}
