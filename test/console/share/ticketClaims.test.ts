import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../../src/database/connection.ts";
import { loadCustomers } from "../../../src/database/loadCustomers.ts";
import { claimTickets } from "../../../src/database/ticketClaims.ts";
import { closeLog } from "../../../src/program/log.ts";
import type { LoggedOn } from "../../../src/superoffice/logOn.ts";
import { openJsonLog } from "../../support/jsonLog.ts";
import { fillTable, makeTenants } from "../../support/sampleTenants.ts";
import { createTestConsole, type TestConsole } from "../../support/testConsole.ts";
import { testDatabases } from "../../support/testDatabase.ts";
import { startTestStandIn } from "../../support/testStandIn.ts";

const CROWD = 5;

for (const { name, start } of testDatabases) {
  test(`tickets of consoles that share the work, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);
    const tenants = makeTenants(CROWD);
    const standIn = await startTestStandIn(tenants);
    const log = await openJsonLog(() => {});
    let consoles: TestConsole[] = [];
    let exchangesBefore = 0;
    const exchanges = () => standIn.counts.exchange - exchangesBefore;
    const isClaimed = async () =>
      (await sql`select from tickets where claimed_until > now()`).length > 0;

    function open(giveUp?: AbortSignal, storeIn = database): TestConsole {
      const options = { database: storeIn, log, shares: true };
      const console = createTestConsole(standIn, giveUp ? { ...options, giveUp } : options);
      consoles.push(console);
      return console;
    }

    async function poll({ store, logOn }: TestConsole): Promise<LoggedOn[]> {
      const all: LoggedOn[] = [];
      for await (const page of store!.filled(loadCustomers(database))) {
        all.push(...await Promise.all(page.map(logOn)));
      }
      return all;
    }

    const check = (what: string, body: () => Promise<void>) =>
      t.test(what, async () => {
        await fillTable(sql, tenants);
        await sql`truncate tickets`;
        exchangesBefore = standIn.counts.exchange;
        try {
          await body();
        } finally {
          await Promise.all(consoles.map(({ store }) => store!.flush()));
          consoles = [];
        }
      });

    await check(
      "are made once, however many consoles log on at once, and then used by all",
      async () => {
        const all = await Promise.all([open(), open(), open()].map(poll));
        assert.equal(exchanges(), CROWD);
        const [first, ...others] = all.map((loggedOn) => loggedOn.map(({ ticket }) => ticket));
        for (const other of others) assert.deepEqual(other, first);
        await Promise.all(consoles.map(({ store }) => store!.flush()));
        assert.equal(await isClaimed(), false);
      },
    );

    await check("are made by another where the exchange failed, at once", async () => {
      const end = standIn.misbehave({ at: "exchange", how: { status: 400 } });
      await assert.rejects(poll(open()));
      end();
      while (await isClaimed()) await new Promise((go) => setTimeout(go, 10));
      await poll(open());
      assert.ok((await sql`select from tickets`).length > 0);
    });

    await check("are made once more when those of another are refused", async () => {
      const [one, other] = [open(), open()];
      await poll(one);
      await one.store!.flush();
      standIn.forgetTickets();
      await poll(other);
      await other.store!.flush();
      assert.equal(exchanges(), 2 * CROWD);
      await poll(one);
      assert.equal(exchanges(), 2 * CROWD);
    });

    await check("are made after its time where the console that was to make one died", async () => {
      const ids = (await sql`select id from customers`).map(({ id }) => `${id}`);
      await claimTickets(ids, "a dead one", 60_000, database);
      const polling = poll(open());
      await new Promise((go) => setTimeout(go, 600));
      assert.equal(exchanges(), 0);
      await sql`update tickets set claimed_until = now() - interval '1 s'`;
      await polling;
      assert.equal(exchanges(), CROWD);
    });

    await check("are waited for no longer when the console is stopped", async () => {
      const ids = (await sql`select id from customers`).map(({ id }) => `${id}`);
      await claimTickets(ids, "a dead one", 60_000, database);
      const giveUp = new AbortController();
      const polling = poll(open(giveUp.signal));
      giveUp.abort(new Error("stopped"));
      await assert.rejects(polling);
      assert.equal(exchanges(), 0);
    });

    await check("are made without asking where the database does not answer", async () => {
      const away = openDatabase("postgres://vendor@127.0.0.1:1/crm");
      await poll(open(undefined, away));
      assert.equal(exchanges(), CROWD);
      await consoles[0]!.store!.flush();
      await away.end();
    });

    await closeLog();
    await standIn.close();
    await database.end();
    await close();
  });
}
