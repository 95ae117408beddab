// Tickets that outlive the process: however often the program ends and begins anew, one exchange a customer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runConsole, startConsole } from "./support/childConsole.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { testDatabases } from "./support/testDatabase.ts";
import { startTestStandIn } from "./support/testStandIn.ts";

const RUNS = 10;
const CUSTOMERS = 50;

// The database does not matter here: one will do, the server where there is one.
for (const { name, start } of testDatabases.slice(-1)) {
  test(`with TICKET_STORE=database, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const tenants = makeTenants(CUSTOMERS);
    await fillTable(sql, tenants);

    async function begin() {
      await sql`truncate tickets`;
      const standIn = await startTestStandIn(tenants);
      const settings = { ...settingsFor(standIn, databaseUrl), TICKET_STORE: "database" };
      return { standIn, settings };
    }

    await t.test(`${RUNS} runs of --once exchange once for each customer`, async () => {
      const { standIn, settings } = await begin();
      for (let run = 0; run < RUNS; run++) {
        const { exitCode, output } = await runConsole(["--once"], settings);
        assert.equal(exitCode, 0, output);
        assert.doesNotMatch(output, /WARNING|ERROR/);
      }
      assert.equal(standIn.counts.exchange, CUSTOMERS);
      assert.equal(standIn.counts.call, RUNS * CUSTOMERS);
      await standIn.close();
    });

    await t.test(`so do ${RUNS} that are killed as soon as their first poll is done`, async () => {
      const { standIn, settings } = await begin();
      for (let run = 0; run < RUNS; run++) {
        const child = startConsole([], { ...settings, POLL_SECONDS: "60" });
        await child.waitFor(/Poll done in \d+ ms: 50 logged on/);
        child.kill();
        await child.ended;
        assert.doesNotMatch(child.output(), /WARNING|ERROR/);
      }
      assert.equal(standIn.counts.exchange, CUSTOMERS);
      await standIn.close();
    });

    await t.test("one that is killed amid its first poll loses the exchanges of its last moment alone", async () => {
      const { standIn, settings } = await begin();
      const [last] = tenants.slice(-1);
      // It never ends, while all others do.
      const endTrouble = standIn.misbehave({
        at: "call",
        how: "hang",
        contextIdentifier: last!.contextIdentifier,
      });
      const child = startConsole([], settings);
      await child.waitFor(/Logged on to context/, CUSTOMERS - 1);
      while ((await sql`select from tickets`).length < CUSTOMERS) {
        await new Promise((go) => setTimeout(go, 20));
      }
      child.kill();
      await child.ended;
      endTrouble();
      const { exitCode } = await runConsole(["--once"], settings);
      assert.equal(exitCode, 0);
      assert.equal(standIn.counts.exchange, CUSTOMERS);
      await standIn.close();
    });

    await close();
  });
}
