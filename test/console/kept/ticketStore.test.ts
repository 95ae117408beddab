import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { setMaxListeners } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import type { Tenant } from "../../../fixtures/standIn.ts";
import { type Database, openDatabase } from "../../../src/database/connection.ts";
import { type Customer, loadCustomers } from "../../../src/database/loadCustomers.ts";
import type { Forgotten } from "../../../src/console/kept/ticketStore.ts";
import { closeLog } from "../../../src/program/log.ts";
import type { LoggedOn } from "../../../src/superoffice/logOn.ts";
import { type JsonLine, openJsonLog } from "../../support/jsonLog.ts";
import { CLIENT_SECRET, fillTable, makeTenants } from "../../support/sampleTenants.ts";
import { createTestConsole, type TestConsole } from "../../support/testConsole.ts";
import { testDatabases } from "../../support/testDatabase.ts";
import { startTestStandIn } from "../../support/testStandIn.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const CROWD = 5;
const PUBLIC_KEY = readFileSync(
  new URL("../../../fixtures/keys/app-key.pub.pem", import.meta.url),
  "utf8",
);

for (const { name, start } of testDatabases) {
  test(`tickets that are stored, on ${name}`, async (t) => {
    const { sql, databaseUrl, isEmbedded, close } = await start();
    const database = openDatabase(databaseUrl);
    const standIn = await startTestStandIn(makeTenants(CROWD), { stateValidMs: HOUR });
    let lines: JsonLine[] = [];
    const log = await openJsonLog((line) => lines.push(line));
    const warnings = () => lines.filter(({ level }) => level === "warning");
    /** A clock in milliseconds that is never set back. */
    let monotonic = 1_000_000;
    let tenants: Tenant[] = [];
    let asked = { ...standIn.counts };

    let consoles: TestConsole[] = [];
    const never = new AbortController().signal;
    setMaxListeners(0, never);

    function newConsole(storeIn: Database = database, giveUp = never): TestConsole {
      const monotonicMs = () => monotonic;
      const console = createTestConsole(standIn, { database: storeIn, monotonicMs, log, giveUp });
      consoles.push(console);
      return console;
    }

    /** Logs on to all customers, as a poll does. */
    async function poll(console: TestConsole, pages = loadAll()): Promise<LoggedOn[]> {
      asked = { ...standIn.counts };
      const all: LoggedOn[] = [];
      for await (const page of console.store!.filled(pages)) {
        all.push(...await Promise.all(page.map((customer) => console.logOn(customer))));
      }
      return all;
    }

    const loadAll = () => loadCustomers(database, () => monotonic);

    /** The rows as they are, but read so long ago. */
    async function* loadedBefore(ms: number): AsyncGenerator<Customer[]> {
      for await (const page of loadAll()) {
        monotonic += ms;
        yield page;
      }
    }

    async function pollAndStop(console: TestConsole): Promise<LoggedOn[]> {
      const all = await poll(console);
      await console.store!.flush();
      return all;
    }

    const exchanges = () => standIn.counts.exchange - asked.exchange;
    const reads = () => standIn.counts.state - asked.state;
    const storedRows = () =>
      sql<{ id: string; sealed: Uint8Array; writtenAt: Date }[]>`
      select customer_id as id, sealed, written_at as "writtenAt" from tickets order by customer_id`;

    /** Waits for what is written by itself. */
    async function untilStored(count: number): Promise<void> {
      while ((await storedRows()).length < count) await new Promise((go) => setTimeout(go, 20));
    }

    const check = (what: string, body: () => Promise<void>) =>
      t.test(what, async () => {
        tenants = makeTenants(CROWD);
        for (const tenant of tenants) {
          standIn.tenants.set(tenant.contextIdentifier.toLowerCase(), tenant);
        }
        await fillTable(sql, tenants);
        await sql`truncate tickets`;
        lines = [];
        try {
          await body();
        } finally {
          await Promise.all(consoles.map(({ store }) => store!.flush()));
          consoles = [];
        }
      });

    await check("outlive the console, and the tenants' states with them", async () => {
      const before = await pollAndStop(newConsole());
      assert.equal(exchanges(), CROWD);
      const restarted = newConsole();
      const after = await poll(restarted);
      assert.deepEqual([exchanges(), reads()], [0, 0]);
      assert.deepEqual(after, before);
      await poll(restarted);
      assert.deepEqual([exchanges(), reads()], [0, 0]);
      assert.deepEqual(warnings(), []);
    });

    await check("are stored by themselves soon, also when the tenant never answers", async () => {
      const endTrouble = standIn.misbehave({ at: "call", how: "hang" });
      const giveUp = new AbortController();
      const hanging = newConsole(database, giveUp.signal);
      const polling = poll(hanging).catch(() => {});
      await untilStored(CROWD);
      endTrouble();
      await poll(newConsole());
      assert.equal(exchanges(), 0);
      giveUp.abort();
      await polling;
    });

    await check("are not asked for where memory has them", async () => {
      const console = newConsole();
      await pollAndStop(console);
      await sql`alter table tickets rename to away`;
      await poll(console);
      await sql`alter table away rename to tickets`;
      await console.store!.flush();
      assert.deepEqual(warnings(), []);
    });

    await check("let nobody into another's tenant where their rows are swapped", async () => {
      await pollAndStop(newConsole());
      const [first, second] = await storedRows();
      await sql`update tickets set sealed = ${second!.sealed} where customer_id = ${first!.id}`;
      await sql`update tickets set sealed = ${first!.sealed} where customer_id = ${second!.id}`;
      const all = await poll(newConsole());
      assert.equal(exchanges(), 2);
      const names = all.map(({ principal }) => principal.associate);
      assert.deepEqual(names, tenants.map(({ associate }) => associate));
      assert.equal(standIn.counts.call - asked.call, CROWD);
    });

    await check("are void with a changed token, a changed byte, or a cut", async () => {
      await pollAndStop(newConsole());
      const [, flipped, cut] = await storedRows();
      tenants[0]!.systemUserToken = "Test App-new";
      await sql`update customers set system_user_token = 'Test App-new'
        where context_identifier = ${tenants[0]!.contextIdentifier}`;
      await sql`update tickets set sealed = set_byte(sealed, 40, 255 - get_byte(sealed, 40))
        where customer_id = ${flipped!.id}`;
      await sql`update tickets set sealed = substring(sealed for 40) where customer_id = ${
        cut!.id
      }`;
      const console = newConsole();
      await pollAndStop(console);
      assert.equal(exchanges(), 3);
      await poll(newConsole());
      assert.equal(exchanges(), 0);
    });

    await check(
      "are void with another client secret, and sealed anew where it is replaced",
      async () => {
        const clientSecret = "another-client-secret";
        const old = newConsole();
        await pollAndStop(old);
        standIn.replaceApplication({ clientSecret, applicationPublicKey: PUBLIC_KEY });
        const other = newConsole();
        other.application.clientSecret = clientSecret;
        await poll(other);
        assert.equal(exchanges(), CROWD);

        old.application.clientSecret = clientSecret;
        await pollAndStop(old);
        assert.equal(exchanges(), 0);
        const restarted = newConsole();
        restarted.application.clientSecret = clientSecret;
        await poll(restarted);
        standIn.replaceApplication({
          clientSecret: CLIENT_SECRET,
          applicationPublicKey: PUBLIC_KEY,
        });
        assert.deepEqual([exchanges(), reads()], [0, 0]);
        await other.store!.flush();
      },
    );

    await check("are void at another login host", async () => {
      await pollAndStop(newConsole());
      const options = { database, monotonicMs: () => monotonic, log, giveUp: never };
      const elsewhere = createTestConsole({ ...standIn, loginUrl: "http://127.0.0.1:1" }, options);
      for (const [console, isOpened] of [[newConsole(), true], [elsewhere, false]] as const) {
        for await (const _ of console.store!.filled(loadAll()));
        const sealed = new Uint8Array((await storedRows())[0]!.sealed);
        const ticket = await console.store!.adopt(tenants[0]!, sealed);
        assert.equal(ticket?.startsWith("7T:") ?? false, isOpened);
      }
    });

    await check("that a tenant refused are not taken again", async () => {
      await pollAndStop(newConsole());
      standIn.forgetTickets();
      const endTrouble = standIn.misbehave({ at: "exchange", how: { refuse: "Revoked" } });
      const console = newConsole();
      await assert.rejects(poll(console));
      await assert.rejects(poll(console));
      endTrouble();
      assert.equal(standIn.counts.call - asked.call, 0);
      await pollAndStop(console);
      assert.equal(exchanges(), CROWD);
      await poll(newConsole());
      assert.deepEqual([exchanges(), standIn.counts.call - asked.call], [0, CROWD]);
    });

    /** As when a notification comes. */
    function forget({ store, kept }: TestConsole, what: Forgotten): void {
      const isOne = (name: string) => name !== tenants[0]!.contextIdentifier;
      store!.forget(isOne, what);
      kept.states.forget(isOne);
      if (what === "ticketAndState") kept.tickets.forget(isOne);
    }

    async function allButFirst(): Promise<Customer[]> {
      const pages: Customer[][] = [];
      for await (const page of loadAll()) pages.push(page);
      return pages.flat().slice(1);
    }

    await check("stay without the states that memory has forgotten", async () => {
      const console = newConsole();
      await pollAndStop(console);
      forget(console, "state");
      await console.store!.flush();
      await poll(newConsole());
      assert.deepEqual([exchanges(), reads()], [0, CROWD - 1]);
      await poll(console);
      assert.deepEqual([exchanges(), reads()], [0, CROWD - 1]);
    });

    await check("stay without states also where another console wrote them", async () => {
      await pollAndStop(newConsole());
      const before = await storedRows();
      await newConsole().store!.forgetStored(await allButFirst(), "state");
      const after = await storedRows();
      assert.deepEqual(
        after.map(({ writtenAt }) => writtenAt),
        before.map(({ writtenAt }) => writtenAt),
      );
      await poll(newConsole());
      assert.deepEqual([exchanges(), reads()], [0, CROWD - 1]);
      await newConsole().store!.forgetStored([], "state");
    });

    await check("are gone where they are to be forgotten, too", async () => {
      await pollAndStop(newConsole());
      await newConsole().store!.forgetStored(await allButFirst(), "ticketAndState");
      await poll(newConsole());
      assert.deepEqual([exchanges(), reads()], [CROWD - 1, CROWD - 1]);
    });

    await check("that memory has forgotten do not come back from the database", async () => {
      const console = newConsole();
      await pollAndStop(console);
      forget(console, "ticketAndState");
      await pollAndStop(console);
      assert.equal(exchanges(), CROWD - 1);
      // What was made since is stored.
      await poll(newConsole());
      assert.equal(exchanges(), 0);
    });

    await check("are forgotten without a word where their table is missing", async () => {
      const customers = await allButFirst();
      await sql`alter table tickets rename to away`;
      const { store } = newConsole();
      for (const what of ["state", "ticketAndState"] as const) {
        await store!.forgetStored(customers, what);
      }
      await sql`alter table away rename to tickets`;
      assert.deepEqual(warnings(), []);
    });

    await check("serve until six hours after their last use, by the database's clock", async () => {
      const console = newConsole();
      await pollAndStop(console);
      await poll(newConsole(), loadedBefore(5 * HOUR + 50 * MINUTE));
      assert.deepEqual([exchanges(), reads()], [0, CROWD]);
      await poll(newConsole(), loadedBefore(5 * HOUR + 56 * MINUTE));
      assert.equal(exchanges(), CROWD);
    });

    await check("that are in use are written again each half hour, and no more often", async () => {
      const console = newConsole();
      await pollAndStop(console);
      /** Whether it was, after a use so much later: noted at the call after it. */
      const isWritten = async (ms: number) => {
        const before = await storedRows();
        await poll(console, loadedBefore(ms));
        await pollAndStop(console);
        return (await storedRows()).every(({ sealed }, index) =>
          Buffer.compare(sealed, before[index]!.sealed) !== 0
        );
      };
      // States hold for a quarter of an hour.
      assert.equal(await isWritten(14 * MINUTE), false);
      assert.equal(await isWritten(2 * MINUTE), true, "a state was read anew");
      assert.equal(await isWritten(10 * MINUTE), false);
      assert.equal(await isWritten(25 * MINUTE), true);
      // Six hours from the last use, not from the exchange.
      await poll(newConsole(), loadedBefore(5 * HOUR + 40 * MINUTE));
      assert.equal(exchanges(), 0);
    });

    await check(
      "are cleared away at the start and each hour, where they are of no use any more",
      async () => {
        const console = newConsole();
        const leaveOld = () =>
          sql`
        insert into tickets values (-1, '', now()), (-2, '', now() - interval '1 day')`;
        await leaveOld();
        await pollAndStop(console);
        assert.equal((await storedRows()).length, CROWD);
        await leaveOld();
        monotonic += 50 * MINUTE;
        await pollAndStop(console);
        assert.equal((await storedRows()).length, CROWD + 2);
        monotonic += 10 * MINUTE;
        await pollAndStop(console);
        assert.equal((await storedRows()).length, CROWD);
      },
    );

    await check(
      "are left where their table is missing: said once, and memory does alone",
      async () => {
        await sql`alter table tickets rename to away`;
        const console = newConsole();
        await pollAndStop(console);
        await pollAndStop(console);
        await sql`alter table away rename to tickets`;
        await pollAndStop(console);
        assert.equal(exchanges(), 0);
        assert.equal((await storedRows()).length, 0);
        const [{ message } = { message: "" }, ...more] = warnings();
        assert.match(message, /in memory alone .* no table «tickets»\. .*customers (-- )?init/);
        assert.deepEqual(more, []);
      },
    );

    if (!isEmbedded) {
      await check(
        "are stored while somebody holds one's row, which is stored afterwards",
        async () => {
          await sql`insert into tickets (customer_id) select min(id) from customers`;
          const holder = await sql.reserve();
          await holder`begin`;
          await holder`select from tickets for update`;
          const sealed = async () => (await storedRows()).filter(({ sealed }) => sealed).length;
          const console = newConsole();
          await pollAndStop(console);
          assert.equal(await sealed(), CROWD - 1);
          await holder`rollback`;
          holder.release();
          await console.store!.flush();
          assert.equal(await sealed(), CROWD);
          await poll(newConsole());
          assert.equal(exchanges(), 0);
          assert.deepEqual(warnings(), []);
        },
      );
    }

    await check("that cannot be written are written later, which is said once", async () => {
      await sql`alter table tickets add constraint full_disk check (false) not valid`;
      const console = newConsole();
      await pollAndStop(console);
      await pollAndStop(console);
      await sql`alter table tickets drop constraint full_disk`;
      assert.equal(warnings().length, 1);
      assert.match(warnings()[0]!.message, /^Tickets are not stored for now: .*full_disk/);
      await console.store!.flush();
      await poll(newConsole());
      assert.equal(exchanges(), 0);
    });

    await check("that cannot be read hold nobody up, which is said once", async () => {
      const away = openDatabase("postgres://vendor@127.0.0.1:1/crm");
      const console = newConsole(away);
      await poll(console);
      assert.equal(exchanges(), CROWD);
      await poll(console);
      assert.equal(exchanges(), 0);
      await console.store!.flush();
      await away.end();
      const said = warnings().map(({ message }) => message.split(":")[0]).sort();
      assert.deepEqual(said, [
        "Expired tickets cannot be cleared away for now",
        "Stored tickets cannot be read for now",
        "Tickets are not stored for now",
      ]);
    });

    await check("stand in no dump of the database", async () => {
      const all = await pollAndStop(newConsole());
      const rows = await sql`
        select sealed::text, encode(sealed, 'escape'), encode(sealed, 'base64') from tickets`;
      const dumps = [JSON.stringify(rows)];
      for (const { sealed } of await storedRows()) {
        dumps.push(Buffer.from(sealed).toString("latin1"));
      }
      if (!isEmbedded) {
        const dump = await promisify(execFile)("pg_dump", ["--inserts", databaseUrl]).catch(
          (error) => {
            // It reads no server that is newer than itself.
            if (error.code !== "ENOENT" && !/version mismatch/.test(error.stderr)) throw error;
          },
        );
        if (dump !== undefined) {
          assert.match(dump.stdout, /INSERT INTO public\.tickets/);
          dumps.push(dump.stdout);
        }
      }
      for (const { ticket } of all) {
        const bytes = Buffer.from(ticket);
        // In Base64 its middle is the same wherever it begins, in one of three ways.
        const inBase64 = [0, 1, 2].map((skip) =>
          bytes.subarray(skip).toString("base64").slice(4, 24)
        );
        const forms = [ticket, ticket.slice(3), bytes.toString("hex"), ...inBase64];
        for (const dump of dumps) assert.ok(!forms.some((form) => dump.includes(form)));
      }
      assert.ok(
        !lines.some((line) => all.some(({ ticket }) => JSON.stringify(line).includes(ticket))),
      );
    });

    await closeLog();
    await standIn.close();
    await database.end();
    await close();
  });
}
