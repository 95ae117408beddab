// What SuperOffice invoices: the console counts what the stand-in counts, and says it.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { emptyFolder, runConsole, startConsole } from "./support/childConsole.ts";
import { count } from "./support/pollLines.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { testDatabases } from "./support/testDatabase.ts";

// The database does not matter here: one will do, the server where there is one.
for (const { name, start } of testDatabases.slice(-1)) {
  test(`calls are counted as SuperOffice counts them, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const tenants = makeTenants(3);
    const standIn = await startTestStandIn(tenants);
    await fillTable(sql, tenants);
    const settings = settingsFor(standIn, databaseUrl);
    const kept = async () => {
      const rows = await sql<{ customer: string; calls: number }[]>`
        select context_identifier as customer, calls::int from calls
        join customers on customers.id = customer_id order by customer`;
      return rows.map(({ calls }) => calls);
    };

    await t.test("a script's and repeats included, in the summary and in the table", async () => {
      const path = join(emptyFolder(), "work.ts");
      await writeFile(
        path,
        `export default async ({ contextIdentifier, fetch }) => {
          if (contextIdentifier === "Cust10001") for (const id of [1, 2, 3]) await fetch("v1/Contact/" + id);
        };`,
      );
      standIn.misbehave({
        at: "call",
        how: { status: 503 },
        contextIdentifier: "Cust10002",
        times: 2,
      });
      const { output, exitCode } = await runConsole(["--once", "--work", path], settings);
      assert.equal(exitCode, 0, output);
      assert.equal(standIn.counts.call, 3 + 3 + 2);
      assert.match(output, /3 logged on, 0 skipped, 0 failed, 8 calls$/m);
      assert.deepEqual(await kept(), [4, 3, 1]);
    });

    await t.test("those of a console that was stopped, too", async () => {
      const child = startConsole([], { ...settings, POLL_SECONDS: "0.5" });
      await child.waitFor(/, 3 calls$/, 3);
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
      assert.deepEqual((await kept()).reduce((sum, calls) => sum + calls), standIn.counts.call);
    });

    await t.test("and without the table the console goes on, and says so once", async () => {
      await sql`drop table calls`;
      const child = startConsole([], { ...settings, POLL_SECONDS: "0.5" });
      await child.waitFor(/, 3 calls$/, 2);
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
      const line = /WARNING The calls made are not kept.*no table calls.*customers (-- )?init/;
      assert.equal(count(child.output(), line), 1, child.output());
      assert.equal(count(child.output(), /WARNING|ERROR/), 1, child.output());
    });

    await standIn.close();
    await close();
  });

  test(`with TENANT_SECONDS customers are called less often than the database is asked, on ${name}`, async () => {
    const { sql, databaseUrl, close } = await start();
    const tenants = makeTenants(41);
    const standIn = await startTestStandIn(tenants);
    await fillTable(sql, tenants.slice(0, 40));
    const child = startConsole([], {
      ...settingsFor(standIn, databaseUrl),
      POLL_SECONDS: "0.5",
      TENANT_SECONDS: "86400",
    });
    await child.waitFor(
      /Logging on at .*, every 0\.5 s \(each customer every 86400 s\), 32 to 512/,
    );
    // Ten that were never logged on to, so that a newcomer sees something.
    for (const { contextIdentifier } of tenants.slice(0, 10)) {
      await child.waitFor(new RegExp(`Logged on to context ${contextIdentifier} `));
    }
    await child.waitFor(/Poll done .*, (29|30) not due/);
    const [newOne, changed] = [tenants[40]!, tenants[0]!];
    await sql`insert into customers (context_identifier, system_user_token)
      values (${newOne.contextIdentifier}, ${newOne.systemUserToken})`;
    await child.waitFor(new RegExp(`Logged on to context ${newOne.contextIdentifier} `));
    standIn.tenants.get(changed.contextIdentifier.toLowerCase())!.systemUserToken = "Test App-new";
    await sql`update customers set system_user_token = 'Test App-new'
      where context_identifier = ${changed.contextIdentifier}`;
    await child.waitFor(new RegExp(`Logged on to context ${changed.contextIdentifier} `), 2);
    child.signal("SIGTERM");
    assert.equal(await child.ended, 0);
    assert.doesNotMatch(child.output(), /WARNING|ERROR|given up/);
    await standIn.close();
    await close();
  });
}
