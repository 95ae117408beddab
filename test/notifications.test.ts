// A tenant changes, SuperOffice says so, and the whole console looks again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createSigningKey } from "../fixtures/jwts.ts";
import { type ChildConsole, runConsole, startConsole } from "./support/childConsole.ts";
import { freePort } from "./support/freePort.ts";
import { startNotifier } from "./support/notifier.ts";
import { count } from "./support/pollLines.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { testDatabases } from "./support/testDatabase.ts";
import { startTestStandIn } from "./support/testStandIn.ts";

const POLL_DONE = /Poll done/;
const isServer = (name: string) => name !== "the embedded Postgres";

async function ask(port: number, path: string, init: RequestInit = {}) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, init);
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

/** Resolves when the next polls are done that begin from now on. */
async function nextPolls(child: ChildConsole, polls = 1): Promise<void> {
  await child.waitFor(POLL_DONE, count(child.output(), POLL_DONE) + 1 + polls);
}

for (const { name, start } of testDatabases) {
  test(`a console that is told of its tenants, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const tenants = makeTenants(3);
    const [moved, restored, suspended] = tenants as [
      typeof tenants[0],
      typeof tenants[0],
      typeof tenants[0],
    ];
    const standIn = await startTestStandIn(tenants, { stateValidMs: 3600_000 });
    const notifier = await startNotifier(standIn);
    await fillTable(sql, tenants);
    const [port, healthPort] = [await freePort(), await freePort()];
    const asked: string[] = [];
    standIn.events.on("request", (place, customer) => asked.push(`${place} ${customer}`));
    const settings = {
      ...settingsFor(notifier, databaseUrl),
      POLL_SECONDS: "1",
      LOG_LEVEL: "debug",
      TICKET_STORE: "database",
    };
    const child = startConsole([], {
      ...settings,
      NOTIFICATIONS_LISTEN: `127.0.0.1:${port}`,
      HEALTH_LISTEN: `127.0.0.1:${healthPort}`,
    });
    await child.waitFor(POLL_DONE, 2);
    const { contextIdentifier } = moved;

    await t.test("meets no 421 at the next poll after a move", async () => {
      const tenant = standIn.tenants.get(contextIdentifier.toLowerCase())!;
      // As long as possible before the next one.
      await nextPolls(child);
      tenant.host = tenant.host === 0 ? 1 : 0;
      const before = asked.length;
      assert.equal(await notifier.notify(port, contextIdentifier.toLowerCase(), 5), 200);
      await child.waitFor(/SuperOffice says that it moved/);
      await nextPolls(child);
      const own = asked.slice(before).filter((line) => line.endsWith(contextIdentifier));
      assert.ok(own.includes(`state ${contextIdentifier}`), own.join(", "));
      assert.equal(count(child.output(), /TENANT_MOVED|evil/), 0);
    });

    await t.test("makes a new ticket when a backup was restored, and no other customer's", async () => {
      const before = asked.length;
      const { contextIdentifier } = restored;
      assert.equal(await notifier.notify(port, contextIdentifier, "backupRestored"), 200);
      await child.waitFor(/a backup of it was restored/);
      await nextPolls(child);
      const exchanges = asked.slice(before).filter((line) => line.startsWith("exchange"));
      assert.deepEqual(exchanges, [`exchange ${contextIdentifier}`]);
    });

    await t.test("skips one that was suspended, and takes it when it is back", async () => {
      const { contextIdentifier } = suspended;
      const tenant = standIn.tenants.get(contextIdentifier.toLowerCase())!;
      tenant.state = "Suspended";
      assert.equal(await notifier.notify(port, contextIdentifier, 2), 200);
      await child.waitFor(new RegExp(`${contextIdentifier}: skipped`));
      const logOns = () =>
        count(child.output(), new RegExp(`Logged on to context ${contextIdentifier} `));
      const before = logOns();
      tenant.state = "Running";
      assert.equal(await notifier.notify(port, contextIdentifier, 3), 200);
      await child.waitFor(new RegExp(`Logged on to context ${contextIdentifier} `), before + 1);
    });

    await t.test("refuses what SuperOffice did not sign, and says so once", async () => {
      const before = asked.length;
      const forged = await notifier.jwt({}, await createSigningKey());
      for (let times = 0; times < 5; times++) {
        assert.equal(await notifier.notify(port, contextIdentifier, 1, forged), 401);
      }
      assert.equal(
        await notifier.notify(
          port,
          contextIdentifier,
          1,
          await notifier.jwt({ iss: "SuperOffice AS" }),
        ),
        401,
      );
      await nextPolls(child);
      assert.equal(count(child.output(), /notification\(s\) were refused/), 1);
      assert.deepEqual(asked.slice(before).filter((line) => line.startsWith("exchange")), []);
    });

    await t.test("tells who supervises it that it lives, and is ready", async () => {
      assert.equal((await ask(healthPort, "/livez")).status, 200);
      const { status, text } = await ask(healthPort, "/readyz");
      assert.equal(status, 200);
      assert.match(text, /^ready: the database last gave customers \d s ago\n$/);
      assert.equal((await ask(healthPort, "/livez", { method: "POST" })).status, 405);
      assert.equal((await ask(healthPort, "/readyz", { method: "HEAD" })).status, 200);
      assert.equal((await ask(healthPort, "/NotifyCustomerStateChange")).status, 404);
    });

    await t.test("ends another that is to listen at the same port, with exit code 2", async () => {
      const { exitCode, output } = await runConsole([], {
        ...settings,
        HEALTH_LISTEN: `127.0.0.1:${healthPort}`,
      });
      assert.match(output, new RegExp(`cannot listen at 127.0.0.1:${healthPort}: something else`));
      assert.match(output, /HEALTH_LISTEN/);
      assert.equal(exitCode, 2);
    });

    await t.test("lets a single poll run beside it with the same settings", async () => {
      const { exitCode, output } = await runConsole(["--once"], {
        ...settings,
        HEALTH_LISTEN: `127.0.0.1:${healthPort}`,
      });
      assert.equal(exitCode, 0, output);
    });

    if (isServer(name)) {
      await t.test("tells another console at the same database", async () => {
        const other = startConsole([], {
          ...settings,
          NOTIFICATIONS_LISTEN: `127.0.0.1:${await freePort()}`,
        });
        await other.waitFor(POLL_DONE, 2);
        assert.equal(await notifier.notify(port, contextIdentifier, 0), 200);
        await other.waitFor(new RegExp(`${contextIdentifier}: .*about to be upgraded`));
        other.signal("SIGTERM");
        assert.equal(await other.ended, 0);
      });
    }

    await t.test("listens no more when it stops", async () => {
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
      await assert.rejects(ask(healthPort, "/livez"));
    });

    await notifier.close();
    await standIn.close();
    await close();
  });
}
