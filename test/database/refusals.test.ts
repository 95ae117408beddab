import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../src/database/connection.ts";
import {
  forgetRefusals,
  isLeftAlone,
  noteRefusals,
  type Refusal,
  tryAllRefused,
  tryRefused,
} from "../../src/database/refusals.ts";
import { clearTickets, readTickets, writeTickets } from "../../src/database/storedTickets.ts";
import { fillTable, makeTenants } from "../support/sampleTenants.ts";
import { testDatabases } from "../support/testDatabase.ts";

const FIRST_MS = 30_000;
const LONGEST_MS = 15 * 60_000;

for (const { name, start } of testDatabases) {
  test(`refusals that all consoles know, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);
    let ids: string[] = [];

    const leftAlone = async () =>
      (await database`select id from customers where ${isLeftAlone(database)} order by id`)
        .map(({ id }) => id);

    async function refusalOf(id: string, code = "TOKEN_REVOKED"): Promise<Refusal> {
      const [row] = await sql`select * from customers where id = ${id}`;
      const { context_identifier: contextIdentifier, system_user_token: systemUserToken } = row!;
      return { id, contextIdentifier, systemUserToken, code };
    }

    /** Refuses customers, whose error is then written. */
    async function refuse(...refusals: Refusal[]): Promise<void> {
      await noteRefusals(refusals, FIRST_MS, LONGEST_MS, database);
      await sql`update customers set last_error = 'no' where id in ${
        sql(refusals.map(({ id }) => id))
      }`;
    }

    /** For how many seconds a customer is left alone. */
    async function waitOf(id: string): Promise<number> {
      const [row] = await sql`
        select round(extract(epoch from refused_until - now()))::int as seconds from tickets where customer_id = ${id}`;
      return row!["seconds"];
    }

    const pass = (seconds: number) =>
      sql.unsafe(`update tickets set refused_until = refused_until - interval '${seconds} s'`);

    const check = (what: string, body: () => Promise<void>) =>
      t.test(what, async () => {
        await sql`truncate tickets`;
        await fillTable(sql, makeTenants(4));
        ids = (await sql`select id from customers order by id`).map(({ id }) => `${id}`);
        await body();
      });

    await check("leave the customers alone that were refused, for their time", async () => {
      const [anna, bo] = ids as [string, string];
      await refuse(await refusalOf(anna), await refusalOf(bo), await refusalOf(anna));
      assert.deepEqual(await leftAlone(), [anna, bo]);
      await pass(FIRST_MS / 1000 + 1);
      assert.deepEqual(await leftAlone(), []);
    });

    await check("leave them alone for twice as long each time, at most 15 minutes", async () => {
      const [anna] = ids as [string];
      const waits: number[] = [];
      for (let time = 0; time < 7; time++) {
        await refuse(await refusalOf(anna));
        waits.push(await waitOf(anna));
        await pass(LONGEST_MS);
      }
      assert.deepEqual(waits, [30, 60, 120, 240, 480, 900, 900]);
    });

    await check("leave them alone for 15 minutes at most when beats are rare, too", async () => {
      const [anna] = ids as [string];
      for (let time = 0; time < 2; time++) {
        await noteRefusals([await refusalOf(anna)], 4 * LONGEST_MS, LONGEST_MS, database);
        assert.equal(await waitOf(anna), LONGEST_MS / 1000);
        await pass(LONGEST_MS);
      }
    });

    await check(
      "end when the token or the context identifier changes, and start anew",
      async () => {
        const [anna, bo] = ids as [string, string];
        for (let time = 0; time < 2; time++) {
          await refuse(await refusalOf(anna), await refusalOf(bo));
          await pass(LONGEST_MS);
        }
        await refuse(await refusalOf(anna), await refusalOf(bo));
        assert.deepEqual(await leftAlone(), [anna, bo]);
        await sql`update customers set system_user_token = 'another' where id = ${anna}`;
        await sql`update customers set context_identifier = 'Another' where id = ${bo}`;
        assert.deepEqual(await leftAlone(), []);
        await refuse(await refusalOf(anna));
        assert.equal(await waitOf(anna), FIRST_MS / 1000);
      },
    );

    await check(
      "end when the error is emptied, but not before it is written, and start anew",
      async () => {
        const [anna] = ids as [string];
        await refuse(await refusalOf(anna));
        await pass(LONGEST_MS);
        await sql`update customers set last_error = null`;
        await noteRefusals([await refusalOf(anna)], FIRST_MS, LONGEST_MS, database);
        assert.equal(await waitOf(anna), 2 * FIRST_MS / 1000);
        assert.deepEqual(await leftAlone(), [anna]);
        await sql`update customers set last_error = 'no'`;
        await pass(11);
        assert.deepEqual(await leftAlone(), [anna]);
        await sql`update customers set last_error = null`;
        assert.deepEqual(await leftAlone(), []);
        await refuse(await refusalOf(anna));
        assert.equal(await waitOf(anna), FIRST_MS / 1000);
      },
    );

    await check("end for those who were refused for the same as one who gets in", async () => {
      const [anna, bo, cy, dee] = ids as [string, string, string, string];
      await refuse(
        await refusalOf(anna),
        await refusalOf(bo),
        await refusalOf(cy, "ACCESS_DENIED"),
        await refusalOf(dee, "NEEDS_REAPPROVAL"),
      );
      await tryRefused([], [anna], database);
      await forgetRefusals([anna], database);
      assert.deepEqual(await leftAlone(), [cy, dee]);
      await tryRefused(["ACCESS_DENIED"], [], database);
      assert.deepEqual(await leftAlone(), [dee]);
      // Whoever is tried for that waits twice as long when it is refused again.
      await refuse(await refusalOf(bo), await refusalOf(anna));
      assert.deepEqual([await waitOf(bo), await waitOf(anna)], [60, 30]);
      await tryAllRefused(database);
      assert.deepEqual(await leftAlone(), []);
    });

    await check("leave the tickets as they are, and outlive their clearing away", async () => {
      const [anna, bo] = ids as [string, string];
      await writeTickets([{ id: anna, sealed: new Uint8Array([7]) }], "one", database);
      await sql`update tickets set written_at = now() - interval '6 h 59 min'`;
      await refuse(await refusalOf(anna), await refusalOf(bo));
      assert.deepEqual([...(await readTickets([anna, bo], database)).keys()], [anna]);
      await sql`update tickets set written_at = now() - interval '8 h' where customer_id = ${bo}`;
      await pass(31);
      await refuse(await refusalOf(bo));
      await clearTickets(database);
      assert.deepEqual(await leftAlone(), [bo]);
      await forgetRefusals([anna, bo], database);
      assert.deepEqual(await leftAlone(), []);
    });

    await database.end();
    await close();
  });
}
