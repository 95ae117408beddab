// What costs time, counted: requests for each customer, database round trips for each poll, modules at start-up.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startCountingProxy } from "./bench/countingProxy.ts";
import { emptyFolder, startConsole } from "./support/childConsole.ts";
import { count } from "./support/pollLines.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { testDatabases } from "./support/testDatabase.ts";

const ROOT = new URL("..", import.meta.url).href;
/** undici and zod are most of them. */
const MOST_FILES = 365;

for (const { name, start } of testDatabases) {
  test(`what a poll costs, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();

    await t.test("a first poll asks three times for each customer, a later one once", async () => {
      const tenants = makeTenants(50);
      const standIn = await startTestStandIn(tenants);
      await fillTable(sql, tenants);
      const asked = new Map<string, string[]>(
        tenants.map(({ contextIdentifier }) => [contextIdentifier, []]),
      );
      standIn.events.on("request", (place, customer) => asked.get(customer)?.push(place));
      const child = startConsole([], { ...settingsFor(standIn, databaseUrl), POLL_SECONDS: "0.5" });
      await child.waitFor(/Poll done/, 2);
      for (const customer of asked.keys()) await child.waitFor(loggedOnTo(customer), 2);
      child.signal("SIGTERM");
      await child.ended;
      await standIn.close();
      for (const [customer, places] of asked) {
        const polls = count(child.output(), loggedOnTo(customer));
        assert.deepEqual(places, ["state", "exchange", ...Array(polls).fill("call")], customer);
      }
      assert.equal(standIn.counts.keys, 1);
    });

    await t.test("the database is asked for each thousand customers, not for each", async () => {
      // None takes calls, so that nothing has to be signed.
      const tenants = makeTenants(2500).map((tenant) => ({ ...tenant, state: "Suspended" }));
      const standIn = await startTestStandIn(tenants);
      await fillTable(sql, tenants);
      const proxy = await startCountingProxy(databaseUrl);
      const settings = settingsFor(standIn, proxy.databaseUrl);
      const child = startConsole([], { ...settings, POLL_SECONDS: "2" });
      await child.waitFor(/Poll done/, 2);
      child.signal("SIGTERM");
      await child.ended;
      await standIn.close();
      await proxy.close();

      // Of 2,500 rows three pages are read, and three batches written, or one more for each second.
      const polls = [...child.output().matchAll(/Poll done in (\d+) ms/g)];
      const most = polls.reduce((sum, [, ms]) => sum + 3 + 3 + Math.ceil(Number(ms) / 1000), 0);
      // Each connection begins with a question of the client's own.
      const roundTrips = proxy.roundTrips() - proxy.connections();
      assert.ok(roundTrips > 3 * polls.length, `${roundTrips} round trips: not all were counted`);
      assert.ok(roundTrips <= most, `${roundTrips} round trips, expected ${most} at most`);
    });

    await close();
  });
}

test(
  "start-up loads what a poll needs and nothing else",
  { skip: "Deno" in globalThis && "Deno does not tell what it loaded" },
  async () => {
    const folder = emptyFolder();
    const standIn = await startTestStandIn([]);
    const settings = settingsFor(standIn, "postgres://postgres@127.0.0.1:9/none");
    const child = startConsole(["--once"], { ...settings, NODE_V8_COVERAGE: folder });
    const exitCode = await child.ended;
    await standIn.close();
    assert.match(child.output(), /Logging on at[^]*cannot be reached/);
    assert.equal(exitCode, 1);

    const files = await filesLoaded(folder);
    assert.ok(files.includes("src/console/compose.ts"));
    const forOthers =
      /^fixtures|pglite|@logtape\/file|@opentelemetry|@superoffice|vega|iagnose|doctor|pg-?[bB]oss|[sS]hare|[dD]ivision|ticketClaims|refusals|holdings/;
    assert.deepEqual(files.filter((file) => forOthers.test(file)), []);
    assert.ok(files.length <= MOST_FILES, `${files.length} files, expected ${MOST_FILES} at most`);
  },
);

function loggedOnTo(customer: string): RegExp {
  return new RegExp(`Logged on to context ${customer} `);
}

/** The project's files and its packages' that a process loaded, as its coverage tells; without what runs TypeScript. */
async function filesLoaded(folder: string): Promise<string[]> {
  const urls = new Set<string>();
  for (const report of await readdir(folder)) {
    const { result } = JSON.parse(await readFile(join(folder, report), "utf8"));
    for (const { url } of result) urls.add(url);
  }
  return [...urls].filter((url) => url.startsWith(ROOT)).map((url) => url.slice(ROOT.length))
    .filter((file) => !/^node_modules\/(tsx|esbuild)\//.test(file));
}
