import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tenant } from "../fixtures/standIn.ts";
import { startConsole } from "./support/childConsole.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { assertNobodyMissed, count } from "./support/pollLines.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { testDatabases } from "./support/testDatabase.ts";

// The database does not matter here: one will do, the server where there is one.
for (const { name, start } of testDatabases.slice(-1)) {
  test(`the console as a good citizen, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();

    async function run(tenants: Tenant[], variables: Record<string, string> = {}, options = {}) {
      const standIn = await startTestStandIn(tenants, { stateValidMs: 0, ...options });
      await fillTable(sql, tenants);
      const child = startConsole([], {
        ...settingsFor(standIn, databaseUrl),
        POLL_SECONDS: "0.5",
        ...variables,
      });
      return {
        standIn,
        child,
        /** Waits for this many polls more. */
        morePolls: (more: number) =>
          child.waitFor(/Poll done/, count(child.output(), /Poll done/) + more),
        async end() {
          child.signal("SIGTERM");
          assert.equal(await child.ended, 0);
          await standIn.close();
        },
      };
    }

    await t.test("over 20 polls every tenant is exchanged for once, and once more when its ticket is gone", async () => {
      const tenants = makeTenants(50);
      const { standIn, child, morePolls, end } = await run(tenants);
      await morePolls(20);
      assert.equal(standIn.counts.exchange, 50);
      standIn.forgetTickets();
      await morePolls(3);
      assert.equal(standIn.counts.exchange, 100);
      assertNobodyMissed(child.output(), tenants);
      assert.doesNotMatch(child.output(), /WARNING|ERROR/);
      await end();
    });

    await t.test("with TICKET_REUSE=off every poll exchanges", async () => {
      const tenants = makeTenants(3);
      const { standIn, child, end } = await run(tenants, { TICKET_REUSE: "off" });
      for (const { contextIdentifier } of tenants) {
        await child.waitFor(new RegExp(`Logged on to context ${contextIdentifier} `), 4);
      }
      // In this order: what is logged later was exchanged for before.
      const loggedOn = count(child.output(), /Logged on to context/);
      assert.ok(standIn.counts.exchange >= loggedOn);
      await end();
    });

    await t.test("keys rotated under load cost no customer its log-on, and few looks at the key set", async () => {
      const { standIn, child, morePolls, end } = await run(makeTenants(100), {
        TICKET_REUSE: "off",
      });
      await morePolls(1);
      for (const keepOld of [true, false, true, false]) {
        await standIn.rotateKeys(keepOld);
        await morePolls(2);
      }
      assert.doesNotMatch(child.output(), /WARNING|ERROR/);
      assert.ok(standIn.counts.keys <= 6, `the key set was read ${standIn.counts.keys} times`);
      await end();
    });

    await t.test("a tenant that moves between two hosts is followed, and nothing reported", async () => {
      const { standIn, child, morePolls, end } = await run(makeTenants(5), {}, {
        stateValidMs: 3600_000,
      });
      await morePolls(2);
      for (const host of [1, 0, 1] as const) {
        standIn.tenants.get("cust10001")!.host = host;
        await morePolls(3);
      }
      assert.doesNotMatch(child.output(), /WARNING|ERROR/);
      assert.equal(standIn.counts.exchange, 5);
      await end();
    });

    await t.test("a tenant that is down is told once, and picked up again by itself", async () => {
      const { standIn, child, morePolls, end } = await run(makeTenants(2));
      await morePolls(1);
      standIn.tenants.get("cust10001")!.state = "OfflineMaintenance";
      await child.waitFor(
        /INFO .*Cust10001: skipped.*OfflineMaintenance: it is down for maintenance/,
      );
      const calls = standIn.counts.call;
      await morePolls(4);
      standIn.tenants.get("cust10001")!.state = "Deleted";
      await child.waitFor(/WARNING Cust10001: skipped.*Deleted.*is_active to false/);
      standIn.tenants.get("cust10001")!.state = "Running";
      const before = count(child.output(), /context Cust10001 /);
      await child.waitFor(/Logged on to context Cust10001 /, before + 1);
      assert.equal(count(child.output(), /Cust10001: skipped/), 2);
      assert.ok(standIn.counts.call > calls);
      await end();
    });

    await t.test("a revoked customer is left alone for longer each time, and tried at once when its row changes", async () => {
      const { standIn, child, morePolls, end } = await run(makeTenants(2));
      await morePolls(1);
      const tenant = standIn.tenants.get("cust10001")!;
      tenant.revoked = true;
      standIn.forgetTickets();
      await child.waitFor(/WARNING Cust10001: .*Revoked/);
      const polls = count(child.output(), /Poll done/);
      await child.waitFor(/WARNING Cust10001: .*Revoked/, 3);
      // After the first refusal 2 polls, after the second 4: without waiting it would be one each.
      assert.ok(count(child.output(), /Poll done/) - polls >= 5);
      tenant.revoked = false;
      tenant.systemUserToken = "Test App-new0000000";
      await sql`update customers set system_user_token = 'Test App-new0000000'
        where context_identifier = 'Cust10001'`;
      const before = count(child.output(), /context Cust10002 /);
      await child.waitFor(/Logged on to context Cust10001 /, 2);
      assert.ok(count(child.output(), /context Cust10002 /) - before <= 3);
      await end();
    });

    await t.test("a clock an hour off is told once with the seconds, and corrected", async () => {
      const ahead = 3600_000;
      const { child, morePolls, end } = await run(makeTenants(20), { TICKET_REUSE: "off" }, {
        now: () => Date.now() - ahead,
      });
      await morePolls(3);
      const lines = child.output().split("\n").filter((line) => /WARNING|ERROR/.test(line));
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.match(lines[0]!, /clock is 360[01] s ahead of.*timedatectl/);
      await end();
    });

    await close();
  });
}
