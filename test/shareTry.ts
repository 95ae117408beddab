import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { startConsole } from "./support/childConsole.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { testDatabases } from "./support/testDatabase.ts";
const n = Number(process.argv[2] ?? 300),
  consoles = Number(process.argv[3] ?? 2),
  beats = Number(process.argv[4] ?? 3),
  secs = process.argv[5] ?? "4";
const { sql, databaseUrl, close } = await testDatabases.at(-1)!.start();
const tenants = makeTenants(n);
const standIn = await startTestStandIn(tenants, {});
await fillTable(sql, tenants);
const some = Array.from(
  { length: consoles },
  () =>
    startConsole(["--share"], {
      ...settingsFor(standIn, databaseUrl),
      POLL_SECONDS: secs,
      LOG_LEVEL: process.env["LEVEL"] ?? "info",
    }),
);
await delay(1000 * Number(secs) * beats + 3000);
for (const [k, c] of some.entries()) {
  c.signal("SIGTERM");
  console.log("exit", await c.ended);
  console.log(
    c.output().split("\n").filter((l) => !/Logged on/.test(l)).slice(0, 60).map((l) => k + " " + l)
      .join("\n"),
  );
}
console.log(standIn.counts);
await standIn.close();
await close();
process.exit(0);
