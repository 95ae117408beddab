// How many tenants are worked on at once, where that is not set.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startConsole } from "./support/childConsole.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { testDatabases } from "./support/testDatabase.ts";
import { startTestStandIn } from "./support/testStandIn.ts";

// The database does not matter here: one will do, the server where there is one.
for (const { name, start } of testDatabases.slice(-1)) {
  test(`concurrency that finds itself, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();

    await t.test("is more where the polls would take too long, and said", async () => {
      const tenants = makeTenants(300);
      // At 32 at once a poll takes 3 seconds, of a beat of 2.
      const standIn = await startTestStandIn(tenants, { latencyMs: 300 });
      await fillTable(sql, tenants);
      const child = startConsole([], {
        ...settingsFor(standIn, databaseUrl),
        POLL_SECONDS: "2",
        LOG_FORMAT: "json",
      });
      await child.waitFor(/"concurrency":"auto"/);
      assert.match(child.output(), /32 to 512 tenants at once, as the beat needs\./);
      await child.waitFor(/Poll done in .* logged on, .*, \d+ tenants at once from now on"/);
      const line = child.output().split("\n").find((line) => line.includes("from now on"))!;
      assert.ok(JSON.parse(line).concurrency > 32, line);
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
      await standIn.close();
    });

    await t.test("is halved when many are told to ask less, and said; a number stays as it is", async () => {
      const tenants = makeTenants(60);
      await fillTable(sql, tenants);
      for (const CONCURRENCY of ["auto", "32"]) {
        const standIn = await startTestStandIn(tenants);
        // Each customer's first request, about, which is repeated.
        standIn.misbehave({ at: "state", how: { status: 503 }, times: 30 });
        const child = startConsole([], { ...settingsFor(standIn, databaseUrl), CONCURRENCY });
        await child.waitFor(/Poll done in \d+ ms: 60 logged on/);
        const said =
          /0 failed, 60 calls, 16 tenants at once from now on, since several got no answer or/;
        assert.equal(said.test(child.output()), CONCURRENCY === "auto", child.output());
        child.signal("SIGTERM");
        assert.equal(await child.ended, 0);
        await standIn.close();
      }
    });

    await close();
  });
}
