import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@logtape/logtape";
import type { Backoff } from "../../../src/console/backoff.ts";
import {
  createSharedBackoff,
  type SharedBackoff,
} from "../../../src/console/share/sharedBackoff.ts";
import { openDatabase } from "../../../src/database/connection.ts";
import { type Customer, loadCustomers } from "../../../src/database/loadCustomers.ts";
import { isLeftAlone } from "../../../src/database/refusals.ts";
import { explain } from "../../../src/program/explain.ts";
import { closeLog } from "../../../src/program/log.ts";
import { type JsonLine, openJsonLog } from "../../support/jsonLog.ts";
import { fillTable, makeTenants } from "../../support/sampleTenants.ts";
import { testDatabases } from "../../support/testDatabase.ts";

const POLL_MS = 15_000;

let log: Logger;
let lines: JsonLine[];
before(async () => {
  log = await openJsonLog((line) => lines.push(line));
});
after(() => closeLog());

for (const { name, start } of testDatabases) {
  test(`what one console is refused, another knows, on ${name}`, async (t) => {
    const { sql, databaseUrl, close } = await start();
    const database = openDatabase(databaseUrl);
    let one: Backoff;
    let other: Backoff;

    /** The customers that a beat takes in, as they are now. */
    async function inBeat(): Promise<Customer[]> {
      const ids = (await database`select id from customers where not ${isLeftAlone(database)}`)
        .map(({ id }) => id);
      const all: Customer[] = [];
      for await (const page of loadCustomers(database, undefined, { ids })) all.push(...page);
      return all;
    }

    const namesInBeat = async () =>
      (await inBeat()).map(({ contextIdentifier }) => contextIdentifier.slice(-1)).join("");

    /** Waits until a beat takes these in, and no other. */
    async function untilInBeat(names: string): Promise<void> {
      while (await namesInBeat() !== names) await delay(20);
    }

    async function refuse(customers: Customer[], code = "TOKEN_REVOKED"): Promise<void> {
      for (const customer of customers) {
        assert.equal(one.mayTry(customer), true);
        one.refused(customer, code);
      }
      const ids = customers.map(({ id }) => id);
      while (
        (await sql`select from tickets where customer_id in ${sql(ids)}`).length < ids.length
      ) {
        await delay(20);
      }
      await sql`update customers set last_error = 'no' where id in ${sql(ids)}`;
    }

    const check = (what: string, body: (customers: Customer[]) => Promise<void>) =>
      t.test(what, async () => {
        lines = [];
        await sql`truncate tickets`;
        await fillTable(sql, makeTenants(4));
        [one, other] = [1, 2].map(() =>
          createSharedBackoff(POLL_MS, database, { explain, log })
        ) as [SharedBackoff, SharedBackoff];
        await body(await inBeat());
        assert.deepEqual(lines, []);
      });

    await check("is left out of the next beats, whoever cuts them", async ([a, b]) => {
      await refuse([a!, b!]);
      assert.equal(await namesInBeat(), "34");
    });

    await check("is tried when its token changes, or its error is emptied", async ([a, b]) => {
      await refuse([a!, b!]);
      await sql`update customers set system_user_token = 'another' where id = ${a!.id}`;
      assert.equal(await namesInBeat(), "134");
      // The error is written a moment after the refusal.
      await sql`update tickets set refused_until = refused_until - interval '11 s'`;
      assert.equal(await namesInBeat(), "134");
      await sql`update customers set last_error = null where id = ${b!.id}`;
      assert.equal(await namesInBeat(), "1234");
    });

    await check(
      "is tried when another that was refused for the same gets in anywhere",
      async ([a, b, c]) => {
        await refuse([a!, b!]);
        await refuse([c!], "ACCESS_DENIED");
        await sql`update tickets set refused_until = now() where customer_id = ${a!.id}`;
        const [again] = await inBeat();
        assert.equal(again!.hasError, true);
        other.gotIn(again!);
        await untilInBeat("124");
      },
    );

    await check("is tried when one gets in that was refused with all others", async ([a, b, c]) => {
      await refuse([a!], "SIGNATURE_INVALID");
      other.refusedWithAll(c!, "SIGNATURE_INVALID");
      assert.equal(await namesInBeat(), "234");
      other.gotIn(b!);
      other.gotIn(c!);
      await untilInBeat("1234");
    });

    await check("is tried when the settings change anywhere", async (all) => {
      await refuse(all);
      assert.equal(await namesInBeat(), "");
      other.tryAll();
      await untilInBeat("1234");
    });

    await check("is forgotten when it passes", async ([a]) => {
      await refuse([a!]);
      await sql`update tickets set refused_until = now()`;
      const [again] = await inBeat();
      other.passed(again!);
      while ((await sql`select from tickets where refused_code is not null`).length > 0) {
        await delay(20);
      }
    });

    await t.test("is lost where the database does not answer, and nobody is held up", async () => {
      lines = [];
      const away = openDatabase("postgres://vendor@127.0.0.1:1/crm");
      const lost = createSharedBackoff(POLL_MS, away, { explain, log });
      const [customer] = await inBeat();
      lost.refused(customer!, "TOKEN_REVOKED");
      while (lines.length === 0) await delay(20);
      assert.deepEqual(lines.map(({ level, code }) => [level, code]), [[
        "debug",
        "DATABASE_TROUBLE",
      ]]);
      await away.end();
    });

    await database.end();
    await close();
  });
}
