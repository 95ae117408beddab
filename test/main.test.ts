import assert from "node:assert/strict";
import { test } from "node:test";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import {
  emptyFolder,
  runConsole,
  runtime,
  startCommand,
  startConsole,
} from "./support/childConsole.ts";
import { CLIENT_SECRET, fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { startEmbeddedPostgres } from "../fixtures/embeddedPostgres.ts";
import { testDatabases } from "./support/testDatabase.ts";

/** The command that the README says to type: the other tests start the console faster. */
function typed(): string[] {
  if ("Deno" in globalThis) return runtime();
  const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
  return [process.execPath, fileURLToPath(import.meta.resolve("tsx/cli")), main];
}

test("with nothing set, the demo says that it is one and logs on to three of its five customers", async () => {
  const demo = startCommand([...typed(), "--once"], {});
  const exitCode = await demo.ended;
  const output = demo.output();
  const [firstLine = ""] = output.split("\n");
  assert.match(firstLine, /This is a demo.*Ctrl-C/);
  assert.deepEqual(
    output.match(/Logged on to context \S+/g)?.sort(),
    ["10001", "10002", "10003"].map((number) => `Logged on to context Cust${number}`),
  );
  assert.match(output, /Cust10005: skipped.*Suspended/);
  assert.doesNotMatch(output, /Cust10004/);
  assert.match(output, /DEBUG .*Cust10001: token signed in/);
  assert.match(output, /3 logged on, 1 skipped, 0 failed/);
  assert.equal(exitCode, 0);
});

test("SIGINT during the sleep between two polls ends the demo with exit code 0", async () => {
  const demo = startConsole(["--demo"], { SUPEROFFICE_ENVIRONMENT: "online" });
  await demo.waitFor(/Poll done/);
  demo.signal("SIGINT");
  assert.equal(await demo.ended, 0);
});

test("SIGINT while the demo starts ends it before its first poll, with exit code 0", async () => {
  const demo = startConsole([], {});
  await demo.waitFor(/Postgres is starting/);
  demo.signal("SIGINT");
  assert.equal(await demo.ended, 0);
  assert.doesNotMatch(demo.output(), /Logging on at|Poll/);
});

test("a database that is not there yet is explained, and looked for again at the next poll", async () => {
  const { port, close } = await freePort();
  const tenants = makeTenants(1);
  const standIn = await startTestStandIn(tenants);
  const databaseUrl = `postgres://postgres@127.0.0.1:${port}/postgres?max=1`;
  await close();
  const child = startConsole([], { ...settingsFor(standIn, databaseUrl), POLL_SECONDS: "0.5" });
  await child.waitFor(/ERROR .*database server 127\.0\.0\.1:\d+ cannot be reached/, 2);
  const database = await startEmbeddedPostgres(port);
  const sql = postgres(database.databaseUrl);
  await fillTable(sql, tenants);
  await sql.end();
  await child.waitFor(/Logged on to context Cust10001/);
  child.signal("SIGTERM");
  assert.equal(await child.ended, 0);
  await standIn.close();
  await database.close();
});

/** A port that refused nobody yet, and refuses everybody once it is closed. */
async function freePort(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

// The embedded Postgres is what the demo above runs on, and where a server is missing.
for (const { name, start } of testDatabases.slice(-1)) {
  test(`the console on ${name}`, async (t) => {
    const database = await start();
    const { sql, databaseUrl } = database;
    const tenants = makeTenants(4);
    const standIn = await startTestStandIn(tenants);
    const settings = settingsFor(standIn, databaseUrl);
    const rows = () =>
      sql`select context_identifier as customer, last_sync, last_error from customers order by id`;

    await t.test("--once logs on to every active customer and writes last_sync", async () => {
      await fillTable(sql, tenants);
      await sql`update customers set last_error = 'old' where context_identifier = 'Cust10001'`;
      await sql`update customers set is_active = false where context_identifier = 'Cust10004'`;
      const { exitCode, output } = await runConsole(["--once"], settings);
      assert.match(output, /INFO .*Logged on to context Cust10001 as Associate 10001$/m);
      assert.match(output, /3 logged on, 0 skipped, 0 failed/);
      assert.deepEqual(
        (await rows()).map(({ last_sync, last_error }) => [last_sync !== null, last_error]),
        [[true, null], [true, null], [true, null], [false, null]],
      );
      assert.equal(exitCode, 0);
    });

    await t.test("one customer's failure is that customer's alone, and exit code 1", async () => {
      await fillTable(sql, tenants);
      const end = standIn.misbehave({
        at: "exchange",
        how: { refuse: "Revoked: withdrawn" },
        contextIdentifier: "Cust10002",
      });
      const { exitCode, output } = await runConsole(["--once"], settings);
      end();
      assert.match(output, /WARNING .*Cust10002: .*Revoked: withdrawn.*approve/);
      assert.match(output, /3 logged on, 0 skipped, 1 failed/);
      const [, failed] = await rows();
      assert.equal(failed?.["last_sync"], null);
      assert.match(failed?.["last_error"], /Revoked: withdrawn.*approve/);
      assert.equal(exitCode, 1);
    });

    await t.test("--customer takes the customers that it names alone, whatever the letters' case", async () => {
      await fillTable(sql, tenants);
      const args = ["--once", "--customer", "cust10002", "--customer=CUST10004"];
      const { exitCode, output } = await runConsole(args, settings);
      assert.match(output, /Poll done in \d+ ms: 2 logged on, 0 skipped, 0 failed/);
      const synced = (await rows()).filter(({ last_sync }) => last_sync !== null);
      assert.deepEqual(synced.map(({ customer }) => customer), ["Cust10002", "Cust10004"]);
      assert.equal(exitCode, 0);
    });

    await t.test("--customer of one that is unknown or paused at the start is exit code 2, with what to do", async () => {
      await sql`update customers set is_active = false where context_identifier = 'Cust10003'`;
      const args = ["--customer", "Cust1002", "--customer", "cust10003", "--customer", "Cust10001"];
      const { exitCode, output } = await runConsole(args, settings);
      assert.match(output, /--customer Cust1002: there is no such customer.*: Cust10002, /);
      assert.match(
        output,
        /--customer cust10003: it is not active.*customers (-- )?resume Cust10003 has it/,
      );
      assert.doesNotMatch(output, /Poll done|Logged on|^\s+at /m);
      assert.equal(exitCode, 2);
    });

    await t.test("a tenant that is not running is skipped with its state, and no exchange", async () => {
      await fillTable(sql, tenants.slice(0, 1));
      const exchanges = standIn.counts.exchange;
      standIn.tenants.get("cust10001")!.state = "OfflineMaintenance";
      const { exitCode, output } = await runConsole(["--once"], settings);
      standIn.tenants.get("cust10001")!.state = "Running";
      assert.match(output, /Cust10001: skipped.*OfflineMaintenance/);
      assert.match((await rows())[0]?.["last_error"], /OfflineMaintenance/);
      assert.equal(standIn.counts.exchange, exchanges);
      assert.equal(exitCode, 0);
    });

    await t.test("LOG_FORMAT=json writes one object a line, with customer and associate", async () => {
      await fillTable(sql, tenants.slice(0, 1));
      const { output } = await runConsole(["--once"], { ...settings, LOG_FORMAT: "json" });
      const lines = output.trim().split("\n").map((line) => JSON.parse(line));
      const loggedOn = lines.find(({ message }) =>
        message === "Logged on to context Cust10001 as Associate 10001"
      );
      assert.equal(loggedOn.customer, "Cust10001");
      assert.equal(loggedOn.associate, "Associate 10001");
      assert.equal(loggedOn.level, "info");
    });

    await t.test("LOG_FILE gets the log, a file a day that is its owner's alone, kept LOG_KEEP_DAYS", async () => {
      await fillTable(sql, tenants.slice(0, 1));
      const folder = emptyFolder();
      await writeFile(join(folder, "log-2020-01-01.txt"), "old");
      await writeFile(join(folder, "log-of-another.txt"), "not ours");
      const variables = { ...settings, LOG_FILE: join(folder, "log.txt"), LOG_KEEP_DAYS: "3" };
      const { output } = await runConsole(["--once"], variables);
      const [today = "", other] = (await readdir(folder)).sort();
      assert.match(today, /^log-\d{4}-\d\d-\d\d\.txt$/);
      assert.equal(other, "log-of-another.txt");
      assert.equal(await readFile(join(folder, today), "utf8"), output);
      assert.equal((await stat(join(folder, today))).mode & 0o777, 0o600);
    });

    await t.test("a view named customers works as well as a table", async () => {
      await fillTable(sql, tenants.slice(0, 2));
      await sql`alter table customers rename to subscriptions`;
      await sql`create view customers as select * from subscriptions`;
      const { exitCode } = await runConsole(["--once"], settings);
      const synced = await sql`select 1 from subscriptions where last_sync is not null`;
      await sql`drop view customers`;
      await sql`alter table subscriptions rename to customers`;
      assert.equal(synced.length, 2);
      assert.equal(exitCode, 0);
    });

    await t.test("a missing table is explained, and looked for again at the next poll", async () => {
      await fillTable(sql, tenants.slice(0, 1));
      await sql`alter table customers rename to elsewhere`;
      const child = startConsole([], { ...settings, POLL_SECONDS: "0.1" });
      await child.waitFor(/ERROR .*no table «customers».*schema\.sql/, 2);
      await sql`alter table elsewhere rename to customers`;
      await child.waitFor(/Logged on to context Cust10001/);
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
    });

    await t.test("a customer still in hand is left out of the next polls, which keep the beat", async () => {
      await fillTable(sql, tenants.slice(0, 2));
      const end = standIn.misbehave({ at: "state", how: "hang", contextIdentifier: "Cust10001" });
      const askedBefore = standIn.counts.state;
      const child = startConsole([], { ...settings, POLL_SECONDS: "0.1" });
      await child.waitFor(/Logged on to context Cust10002/, 4);
      const loggedOn = child.output().match(/Logged on to context Cust10002/g)?.length ?? 0;
      await child.waitFor(/still in hand/);
      end();
      child.signal("SIGTERM");
      await child.waitFor(/Stopping: waiting/);
      child.signal("SIGTERM");
      assert.equal(await child.ended, 143);
      assert.ok(loggedOn >= 4);
      const hanging = 1;
      const askedForOther = standIn.counts.state - askedBefore - hanging;
      const others = child.output().match(/Logged on to context Cust10002/g)?.length ?? 0;
      assert.ok(askedForOther - others <= 1, "the hanging customer was asked for again");
    });

    await t.test("SIGTERM during the sleep between two polls ends it with exit code 0", async () => {
      await fillTable(sql, tenants.slice(0, 1));
      const child = startConsole([], settings);
      await child.waitFor(/Poll done/);
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
    });

    await t.test("a stop takes no new customers and lets work in hand finish", async () => {
      await fillTable(sql, tenants);
      let answer = () => {};
      const held = new Promise<void>((resolve) => answer = resolve);
      const end = standIn.misbehave({ at: "call", how: { until: held } });
      const child = startConsole([], { ...settings, CONCURRENCY: "1" });
      await new Promise<void>((resolve) =>
        standIn.events.on("request", (place) => place === "call" && resolve())
      );
      child.signal("SIGTERM");
      await child.waitFor(/Stopping: waiting/);
      end();
      answer();
      assert.equal(await child.ended, 0);
      assert.equal(child.output().match(/Logged on to context/g)?.length, 1);
      assert.equal((await sql`select 1 from customers where last_sync is not null`).length, 1);
    });

    await t.test("a stop gives work in hand up after SHUTDOWN_SECONDS, with exit code 0", async () => {
      await fillTable(sql, tenants.slice(0, 1));
      const end = standIn.misbehave({ at: "call", how: "hang" });
      const child = startConsole([], { ...settings, SHUTDOWN_SECONDS: "0.5" });
      await new Promise<void>((resolve) =>
        standIn.events.on("request", (place) => place === "call" && resolve())
      );
      child.signal("SIGINT");
      assert.equal(await child.ended, 0);
      end();
      assert.match(child.output(), /Cust10001: Stopped during the call/);
      assert.match(child.output(), /, 1 given up at the stop \(Cust10001\), 1 call$/m);
      assert.equal((await rows())[0]?.["last_error"], null);
    });

    await t.test("a second signal stops at once", async () => {
      await fillTable(sql, tenants.slice(0, 1));
      const end = standIn.misbehave({ at: "call", how: "hang" });
      const child = startConsole([], settings);
      await new Promise<void>((resolve) =>
        standIn.events.on("request", (place) => place === "call" && resolve())
      );
      child.signal("SIGINT");
      await child.waitFor(/Stopping/);
      child.signal("SIGINT");
      assert.equal(await child.ended, 130);
      end();
    });

    await t.test("settings in .env are read, those of the environment come first", async () => {
      await fillTable(sql, tenants.slice(0, 1));
      const folder = emptyFolder();
      const file = { ...settings, LOG_FORMAT: "json", SUPEROFFICE_CLIENT_SECRET: "wrong-secret" };
      const text = Object.entries(file).map(([name, value]) => `${name}="${value}"\n`).join("");
      await writeFile(join(folder, ".env"), text);
      const variables = { SUPEROFFICE_CLIENT_SECRET: CLIENT_SECRET };
      const { exitCode, output } = await runConsole(["--once"], variables, folder);
      assert.match(output, /"message":"Logged on to context Cust10001/);
      assert.equal(exitCode, 0);
    });

    await standIn.close();
    await database.close();
  });
}
