import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { createBossDivision } from "../../src/database/bossDivision.ts";
import { type Database, DatabaseError, openDatabase } from "../../src/database/connection.ts";
import {
  forgetRefusals,
  noteRefusals,
  tryAllRefused,
  tryRefused,
} from "../../src/database/refusals.ts";
import { clearTickets, readTickets, writeTickets } from "../../src/database/storedTickets.ts";
import { claimTickets, releaseTickets } from "../../src/database/ticketClaims.ts";
import {
  addTickets,
  findTicketTableFault,
  TicketTableError,
} from "../../src/database/ticketTable.ts";
import { hasPgBoss } from "../support/pgBossHere.ts";
import { testDatabases } from "../support/testDatabase.ts";
import { withRole } from "../support/withRole.ts";

const schema = await readFile(new URL("../../fixtures/schema.sql", import.meta.url), "utf8");
const sealed = new Uint8Array([1]);
const refusal = { id: "1", contextIdentifier: "Cust1", systemUserToken: "a", code: "NO" };
const nothing = { isNew: false, columns: [] };

/** All that is done with the table, and the rights that each needs. */
const DEEDS: Record<string, { needs: string[]; run: (database: Database) => Promise<unknown> }> = {
  read: { needs: ["select"], run: (database) => readTickets(["1"], database) },
  write: {
    needs: ["select", "insert", "update"],
    run: (database) => writeTickets([{ id: "1", sealed }], "one", database),
  },
  clear: { needs: ["select", "update", "delete"], run: clearTickets },
  claim: {
    needs: ["select", "insert", "update"],
    run: (database) => claimTickets(["1"], "one", 1000, database),
  },
  release: {
    needs: ["select", "update"],
    run: (database) => releaseTickets(["1"], "one", database),
  },
  "note refusals": {
    needs: ["select", "insert", "update"],
    run: (database) => noteRefusals([refusal], 1000, 1000, database),
  },
  "forget refusals": {
    needs: ["select", "update"],
    run: (database) => forgetRefusals(["1"], database),
  },
  "try again": { needs: ["select", "update"], run: (database) => tryRefused(["NO"], [], database) },
  "try all again": { needs: ["select", "update"], run: tryAllRefused },
};

/** Which may read and write the customers, and nothing else. */
const ofCustomers = (role: string) => `
  revoke create on schema public from public;
  grant usage on schema public to ${role};
  grant select, update on customers to ${role};`;

for (const { name, start } of testDatabases) {
  test(`the table tickets, on ${name}`, async (t) => {
    const started = await start();
    const { sql, databaseUrl, isEmbedded, close } = started;
    const database = openDatabase(databaseUrl);
    const stored = async () => (await sql`select from tickets`).length;

    await t.test("is well as the schema makes it", async () => {
      assert.equal(await findTicketTableFault(database), undefined);
      assert.deepEqual(await addTickets(schema, database), nothing);
    });

    await t.test("is made where it is missing, also beside a view", async () => {
      await sql`drop table tickets`;
      for (const { run } of Object.values(DEEDS)) {
        await assert.rejects(run(database), (error) => {
          assert.ok(error instanceof TicketTableError && error instanceof DatabaseError);
          assert.match(
            `${error.message}. ${error.remedy}`,
            /no table «tickets»\. .*customers -- init/,
          );
          return true;
        });
      }
      assert.match(`${await findTicketTableFault(database)}`, /no table «tickets»/);
      await sql`alter table customers rename to subscriptions`;
      await sql`create view customers as select * from subscriptions`;
      assert.deepEqual(await addTickets(schema, database), { isNew: true, columns: [] });
      assert.equal(await stored(), 0);
      await clearTickets(database);
      await sql`drop view customers`;
      await sql`alter table subscriptions rename to customers`;
    });

    await t.test("of an earlier version gets the columns that it lacks, and keeps its rows", async () => {
      await sql`drop table tickets`;
      await sql`create table tickets (customer_id bigint, sealed bytea)`;
      await sql`insert into tickets values (1, '')`;
      assert.match(
        `${await findTicketTableFault(database)}`,
        /it lacks written_at, claimed_by, claimed_until, refused_code, .*refused_until/,
      );
      const columns = [
        "written_at",
        "claimed_by",
        "claimed_until",
        "refused_code",
        "refused_row",
        "refused_ms",
        "refused_until",
      ];
      assert.deepEqual(await addTickets(schema, database), { isNew: false, columns });
      assert.equal(await findTicketTableFault(database), undefined);
      assert.equal(await stored(), 1);
      for (const { run } of Object.values(DEEDS)) await run(database);
    });

    for (const column of ["written_at", "claimed_until", "refused_row"]) {
      await t.test(`without ${column} is at fault, not the table customers`, async () => {
        await sql.unsafe(`alter table tickets drop column ${column}`);
        const faults: string[] = [];
        for (const { run } of Object.values(DEEDS)) {
          await run(database).catch((error) => faults.push(`${error}. ${error.remedy}`));
        }
        assert.ok(faults.length > 0);
        for (const fault of faults) {
          assert.match(
            fault,
            new RegExp(`«tickets» in .* not as expected: .*${column}.* init add`),
          );
        }
        assert.deepEqual(await addTickets(schema, database), { isNew: false, columns: [column] });
      });
    }

    await t.test("whose rows have each to hold a ticket takes refusals and claims again, too", async () => {
      await sql`update tickets set sealed = '' where sealed is null`;
      await sql`alter table tickets alter column sealed set not null`;
      assert.match(`${await findTicketTableFault(database)}`, /its column sealed may not be null/);
      assert.deepEqual(await addTickets(schema, database), { isNew: false, columns: [] });
      assert.equal(await findTicketTableFault(database), undefined);
      for (const { run } of Object.values(DEEDS)) await run(database);
    });

    await t.test("of the same name that is another program's is left alone", async () => {
      await sql`drop table tickets`;
      await sql`create table tickets (customer_id bigint, seat text)`;
      const fault = await addTickets(schema, database);
      assert.deepEqual((await sql`select * from tickets`).columns.map(({ name }) => name), [
        "customer_id",
        "seat",
      ]);
      await sql`drop table tickets`;
      assert.match(`${fault}`, /«tickets» in .* is not as expected: it lacks sealed, /);
    });

    await t.test("is not for who may not make it, who is told what to do", async () => {
      await withRole(started, ofCustomers, async (asRole) => {
        const fault = await asRole((database) => addTickets(schema, database));
        assert.ok(fault instanceof TicketTableError);
        assert.match(
          `${fault.message}. ${fault.remedy}`,
          /could not be made: permission denied .*psql .*schema\.sql, and: grant select, insert, update, delete on tickets to "/,
        );
      });
      await sql`create table tickets (customer_id bigint primary key, sealed bytea)`;
      await withRole(started, ofCustomers, async (asRole) => {
        const fault = await asRole((database) => addTickets(schema, database));
        assert.ok(fault instanceof TicketTableError);
        assert.match(
          `${fault.message}. ${fault.remedy}`,
          /could not be completed: .*owner.*run: alter table tickets add column if not exists written_at timestamptz .*, and: grant/,
        );
      });
      await addTickets(schema, database);
    });

    for (const lacking of ["select", "insert", "update", "delete"]) {
      await t.test(`says of who may not ${lacking} what to grant`, async () => {
        await withRole(started, ofCustomers, async (asRole, role) => {
          const rights = ["select", "insert", "update", "delete"].filter((right) =>
            right !== lacking
          );
          await sql.unsafe(`grant ${rights.join(", ")} on tickets to ${role}`);
          const said =
            /may not use the table «tickets» in .*\. Grant it: grant select, insert, update, delete on tickets to "/;
          for (const [what, { needs, run }] of Object.entries(DEEDS)) {
            const outcome = await asRole(run).then(
              () => "done",
              (error) => `${error}. ${error.remedy}`,
            );
            if (needs.includes(lacking)) assert.match(outcome, said, what);
            else assert.equal(outcome, "done", what);
          }
          const fault = await asRole(findTicketTableFault);
          assert.match(`${fault?.message}. ${fault?.remedy}`, said);
          assert.match(`${fault?.message}`, new RegExp(`: it may not ${lacking}$`));
          await sql.unsafe(`grant ${lacking} on tickets to ${role}`);
          assert.equal(await asRole(findTicketTableFault), undefined);
        });
      });
    }

    await t.test("is not to blame for a table customers that may not be read", async () => {
      await withRole(started, ofCustomers, async (asRole, role) => {
        await sql.unsafe(`
          grant select, insert, update, delete on tickets to ${role};
          revoke select on customers from ${role}`);
        await assert.rejects(asRole(clearTickets), (error: DatabaseError) => {
          assert.ok(!(error instanceof TicketTableError));
          assert.match(error.remedy, /grant select, update on customers/);
          return true;
        });
      });
    });

    const skip = isEmbedded
      ? "the embedded Postgres has one user"
      : !hasPgBoss && "pg-boss is not installed";
    await t.test("is named where it keeps a beat from being cut, with the right grant", {
      skip,
    }, async () => {
      const role = `console_${database.options.database}_beats`;
      await sql.unsafe(`
        create role ${role} login;
        grant create on database ${database.options.database} to ${role};
        grant select, update on customers to ${role};`);
      const url = new URL(databaseUrl);
      url.username = role;
      const limited = openDatabase(url.href);
      const division = createBossDivision(
        limited,
        { beatSeconds: 3600, tenantSeconds: 3600 },
        () => {},
      );
      const cut = () =>
        division.cut().then(() => "done", (error) => `${error.message}. ${error.remedy}`);
      assert.match(await cut(), /«tickets» in .*\. Grant it: grant select, .* on tickets to "/);
      await sql.unsafe(
        `grant select on tickets to ${role}; revoke select on customers from ${role}`,
      );
      assert.match(await cut(), /permission denied .*Grant it: grant select, update on customers/);
      await sql.unsafe(`grant select on customers to ${role}; set role ${role};
        revoke insert on pgboss.job_common from ${role}; reset role`);
      assert.match(
        await cut(),
        /may not make or use the schema «pgboss» in .*job.*npm run --silent customers -- share-sql/,
      );
      await sql.unsafe(`grant insert on pgboss.job_common to ${role}`);
      assert.equal(await cut(), "done");
      await division.close();
      await limited.end();
      await sql.unsafe(`drop owned by ${role}; drop role ${role};`);
    });

    await database.end();
    await close();
  });
}
