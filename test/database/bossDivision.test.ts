import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createBossDivision } from "../../src/database/bossDivision.ts";
import { type Database, DatabaseError, openDatabase } from "../../src/database/connection.ts";
import type { Batch, Carried, CutCustomer, Decide, Division } from "../../src/database/division.ts";
import { CLAIM_MS } from "../../src/database/division.ts";
import { inspectShare, pgBossSql } from "../../src/database/pgBoss.ts";
import { openDatabaseDoor } from "../support/databaseDoor.ts";
import { hasPgBoss } from "../support/pgBossHere.ts";
import { fillTable, makeTenants } from "../support/sampleTenants.ts";
import { testDatabases } from "../support/testDatabase.ts";

/** The test says when one ends. */
const BEAT_SECONDS = 86_400;
/** In batches of two. */
const CUSTOMERS = 100;

const customersOf = (batches: Batch[]) =>
  batches.flatMap(({ customerIds }) => customerIds).sort((a, b) => Number(a) - Number(b));

for (const { name, start } of testDatabases) {
  const skip = !hasPgBoss && "pg-boss is not installed";
  test(`the division by pg-boss, on ${name}`, { skip }, async (t) => {
    const { sql, databaseUrl, isEmbedded, close } = await start();
    await fillTable(sql, makeTenants(CUSTOMERS));
    const ids = (await sql`select id from customers order by id`).map(({ id }) => `${id}`);
    const opened: { division: Division; database: Database }[] = [];
    const troubles: Error[] = [];

    function open(
      beatSeconds = BEAT_SECONDS,
      url = databaseUrl,
      tenantSeconds = beatSeconds,
      decide?: Decide,
    ): Division {
      const database = openDatabase(url);
      const rhythm = { beatSeconds, tenantSeconds };
      const tellTrouble = (error: Error) => troubles.push(error);
      const division = createBossDivision(database, rhythm, tellTrouble, decide);
      opened.push({ division, database });
      return division;
    }

    async function takeAll(division: Division): Promise<Batch[]> {
      const all: Batch[] = [];
      for (let some; (some = await division.take(10)).length > 0;) all.push(...some);
      return all;
    }

    /** Lets so much time pass for what is noted in the database. */
    async function pass(column: "singleton_on" | "heartbeat_on", seconds: number): Promise<void> {
      await sql.unsafe(
        `update pgboss.job set ${column} = ${column} - interval '${seconds} s' where ${column} is not null;
        update pgboss.queue set monitor_on = null, monitor_claim_on = null`,
      );
    }
    const passToNextBeat = () => pass("singleton_on", BEAT_SECONDS);

    const check = (what: string, body: () => Promise<void>, skip?: string | false) =>
      t.test(what, { skip: skip ?? false }, async () => {
        try {
          await body();
        } finally {
          for (const { division, database } of opened.splice(0)) {
            await division.close();
            await database.end({ timeout: 1 });
          }
          await sql.unsafe(
            `do $$ begin if to_regclass('pgboss.job') is not null then delete from pgboss.job; end if; end $$`,
          );
        }
        assert.deepEqual(troubles.splice(0), []);
      });

    await check("several that start at once on an empty database all start", async () => {
      await sql`drop schema if exists pgboss cascade`;
      const divisions = Array.from({ length: 4 }, () => open());
      const beats = await Promise.all(divisions.map((division) => division.cut()));
      const numbers = new Set(beats.map(({ number }) => number));
      assert.deepEqual([...numbers], [Math.floor(Date.now() / 1000 / BEAT_SECONDS)]);
      const batches = (await Promise.all(divisions.map(takeAll))).flat();
      assert.deepEqual(customersOf(batches), ids);
    });

    await check("a beat is cut once, and each batch is one console's", async () => {
      const divisions = [open(), open(), open()];
      for (let beat = 0; beat < 3; beat++) {
        await Promise.all(divisions.map((division) => division.cut()));
        const taken = await Promise.all(divisions.map(takeAll));
        assert.deepEqual(customersOf(taken.flat()), ids);
        assert.equal(await divisions[0]!.isUnfinished(), true);
        await Promise.all(divisions.map((division, index) => division.finish(taken[index]!)));
        assert.equal(await divisions[0]!.isUnfinished(), false);
        await divisions[1]!.cut();
        assert.deepEqual(await divisions[1]!.take(10), []);
        await passToNextBeat();
      }
      assert.equal((await sql`select from pgboss.job`).length, 1);
    });

    await check(
      "who comes to a beat while another cuts it waits for that, and finds it done",
      async () => {
        const [one, other] = [open(), open()] as const;
        await Promise.all([one.cut(), other.cut()]);
        await passToNextBeat();
        let release = () => {};
        const released = new Promise<void>((resolve) => release = resolve);
        const waiting = async () =>
          (await sql`
            select from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'`).length;
        const locking = sql.begin(async (transaction) => {
          await transaction`lock table customers in access exclusive mode`;
          await released;
        });
        const cutting = one.cut();
        while (await waiting() < 1) await delay(5);
        const coming = other.cut();
        while (await waiting() < 2) await delay(5);
        release();
        await locking;
        await coming;
        assert.deepEqual(customersOf(await takeAll(other)), ids);
        await cutting;
        assert.deepEqual(await one.take(10), []);
      },
      isEmbedded && "the embedded Postgres has one session",
    );

    await check(
      "as many are taken as were asked for, also after a batch that is smaller",
      async () => {
        const division = open();
        await division.cut();
        const [first] = await division.take(10);
        await division.divide(first!, [], first!.customerIds.slice(0, 1));
        const some = await division.take(first!.customerIds.length);
        assert.equal(some.length, 1);
        for (let taken; (taken = await division.take(first!.customerIds.length)).length > 0;) {
          assert.equal(taken.length, 1);
        }
      },
    );

    await check(
      "who is left over from a beat is due in the next one, whatever its moment",
      async () => {
        let beats = 0;
        const division = open(undefined, undefined, undefined, (customers, beat, carried) => {
          const due = beats++ === 0 ? customers : customers.filter(({ isLeftOver }) => isLeftOver);
          return { due: due.map(({ id }) => ({ id, atMs: beat.startMs })), carried };
        });
        await division.cut();
        const [first] = await division.take(1);
        await division.finish([first!]);
        await passToNextBeat();
        const owed = first!.customerIds[0]!;
        const { counts } = await division.cut([owed]);
        const left = ids.filter((id) => id === owed || !first!.customerIds.includes(id));
        assert.deepEqual(customersOf(await takeAll(division)), left);
        assert.deepEqual(counts, {
          due: CUSTOMERS - 1,
          notDue: 1,
          waiting: 0,
          inHand: 0,
          leftOver: CUSTOMERS - 2,
        });
      },
    );

    await check(
      "batches that nobody took before the database's clock was set back hold nobody up",
      async () => {
        const division = open();
        await division.cut();
        await sql`
          update pgboss.job set start_after = now() + interval '1 hour'
          where name = 'superoffice-batches'`;
        await passToNextBeat();
        const { counts } = await division.cut();
        assert.deepEqual([counts?.due, counts?.inHand], [CUSTOMERS, 0]);
        assert.deepEqual(customersOf(await takeAll(division)), ids);
      },
    );

    await check("who cuts a beat knows what the rows say, and what became of each", async () => {
      const found: CutCustomer[][] = [];
      const decide: Decide = (customers, _beat, carried) => {
        found.push(customers);
        return { due: [], carried };
      };
      const division = open(undefined, undefined, undefined, decide);
      const [failing, loggedOn, refused, inactive] = ids as [string, string, string, string];
      await sql`update customers set last_error = 'Denied' where id in (${failing}, ${refused})`;
      const at = new Date("2026-01-02T03:04:05.678Z");
      await sql`update customers set last_sync = ${at} where id = ${loggedOn}`;
      await sql`update customers set is_active = false where id = ${inactive}`;
      await sql`
        insert into tickets (customer_id, refused_row, refused_ms, refused_until)
        select id, md5(context_identifier || ' ' || system_user_token), 60000, now() + interval '1 h'
        from customers where id = ${refused}`;
      const { counts } = await division.cut();
      await sql`update customers set system_user_token = 'another' where id = ${failing}`;
      await passToNextBeat();
      await division.cut();
      await sql`
        update customers set last_error = null, last_sync = null, is_active = true`;
      await sql`delete from tickets`;
      assert.deepEqual(counts, { due: 0, notDue: 98, waiting: 1, inHand: 0, leftOver: 0 });
      const [before, after] = found.map((rows) => new Map(rows.map((row) => [row.id, row])));
      const { row, ...others } = before!.get(failing)!;
      assert.deepEqual(others, {
        id: failing,
        hasError: true,
        lastSyncMs: null,
        isLeftOver: false,
        isInHand: false,
        isWaiting: false,
      });
      assert.equal(before!.get(loggedOn)!.lastSyncMs, at.getTime());
      assert.equal(before!.get(refused)!.isWaiting, true);
      assert.equal(before!.has(inactive), false);
      assert.notEqual(after!.get(failing)!.row, row);
      assert.equal(after!.get(loggedOn)!.row, before!.get(loggedOn)!.row);
    });

    await check("what one cut is to know of another goes from console to console", async () => {
      const known: Carried[] = [];
      const decide: Decide = (_customers, beat, carried) => {
        known.push(carried);
        const { called, missed } = carried;
        const next = [`${known.length}`, 7, beat.startMs] satisfies Carried["called"][number];
        return { due: [], carried: { called: [...called, next], missed: [...missed, "1"] } };
      };
      const divisions = [0, 1, 2].map(() => open(undefined, undefined, undefined, decide));
      for (const division of divisions) {
        await division.cut();
        await sql.unsafe(
          `update pgboss.job set data = data || jsonb_build_object('number', (data->>'number')::int - 1)
          where name = 'superoffice-beats'`,
        );
        await passToNextBeat();
      }
      assert.deepEqual(known.map(({ called, missed }) => [called.map(([id]) => id), missed]), [
        [[], []],
        [["1"], ["1"]],
        [["1", "2"], ["1", "1"]],
      ]);
    });

    await check("a beat that could not be cut is cut by who comes next", async () => {
      const division = open(BEAT_SECONDS, databaseUrl.replace(/(\?.*)?$/, "?max=1"));
      await division.cut();
      await takeAll(division);
      await passToNextBeat();
      await sql`alter table customers rename to away`;
      await assert.rejects(division.cut(), (error) => {
        assert.ok(error instanceof DatabaseError);
        assert.match(error.message, /no table «customers»/);
        return true;
      });
      await sql`alter table away rename to customers`;
      await pass("heartbeat_on", CLAIM_MS / 1000);
      await division.cut();
      assert.deepEqual(customersOf(await takeAll(division)), ids);
    });

    await check(
      "what the last beat left is taken away, and what is in hand is left out",
      async () => {
        const [one, other] = [open(), open()] as const;
        await one.cut();
        const inHand = await one.take(1);
        const [divided] = await other.take(1);
        const [kept, returned] = divided!.customerIds as [string, string];
        const rest = await other.divide(divided!, [kept], [returned]);
        await passToNextBeat();
        await other.cut();
        const expected = ids.filter((id) => id !== kept && !customersOf(inHand).includes(id));
        assert.deepEqual(customersOf([...await takeAll(other), ...await takeAll(one)]), expected);
        assert.deepEqual(await one.renew(inHand), []);
        assert.deepEqual(await other.renew([rest!]), []);
      },
    );

    await check("what a console left that died is in the next beat, rests with it", async () => {
      const [dead, other] = [open(), open()] as const;
      await dead.cut();
      const [divided, ...batches] = await takeAll(dead);
      await dead.divide(divided!, divided!.customerIds.slice(0, 1), []);
      assert.ok(batches.length > 10);
      await passToNextBeat();
      await pass("heartbeat_on", CLAIM_MS / 1000 + 1);
      await other.cut();
      assert.deepEqual(customersOf(await takeAll(other)), ids);
    });

    await check(
      "a claim that is not renewed is another's after its time, and the first one's no more",
      async () => {
        const [dying, other] = [open(), open()] as const;
        await dying.cut();
        await other.cut();
        const [lost, renewed] = [(await dying.take(1))[0]!, (await dying.take(1))[0]!];
        await takeAll(other).then((batches) => other.finish(batches));
        let found: Batch[] = [];
        while (found.length === 0) {
          assert.deepEqual(await dying.renew([renewed]), []);
          await delay(300);
          await other.recover();
          found = await takeAll(other);
        }
        assert.deepEqual(found.map(({ customerIds }) => customerIds), [lost.customerIds]);
        assert.deepEqual(await dying.renew([lost, renewed]), [lost]);
        await dying.finish([lost]);
        assert.equal(await dying.divide(lost, lost.customerIds, []), undefined);
        assert.deepEqual(await other.renew(found), []);
        await Promise.all([other.finish(found), dying.finish([renewed])]);
        assert.equal(await other.isUnfinished(), false);
      },
    );

    await check(
      "a batch is divided once: some are kept, some given back, the others finished",
      async () => {
        const [one, other] = [open(), open()] as const;
        await sql`update customers set is_active = id = any(${ids.slice(0, 3) as never}::bigint[])`;
        await one.cut();
        const batches = await takeAll(one);
        await one.finish(batches.slice(1));
        const [batch] = batches;
        const [id] = batch!.customerIds as [string];
        const rest = await one.divide(batch!, [id], []);
        assert.deepEqual([rest!.isRest, rest!.customerIds], [true, [id]]);
        assert.equal(await one.isUnfinished(), false);
        assert.equal(await one.divide(batch!, [id], [id]), undefined);
        assert.deepEqual(await other.take(10), []);
        assert.deepEqual(await one.renew([rest!]), []);
        assert.equal(await one.divide(rest!, [], [id]), undefined);
        const back = await other.take(10);
        assert.deepEqual(back.map(({ customerIds, isRest }) => [customerIds, isRest]), [[
          [id],
          false,
        ]]);
        assert.deepEqual(await one.renew([rest!]), [rest]);
        await other.finish(back);
        assert.deepEqual(
          (await sql`select from pgboss.job where name <> 'superoffice-beats'`).length,
          0,
        );
        await sql`update customers set is_active = true`;
      },
    );

    await check(
      "consoles that have another rhythm are told of, whoever cuts, but not those that ended before",
      async () => {
        const HALF = BEAT_SECONDS / 2;
        const rhythm = (beatSeconds: number, tenantSeconds = beatSeconds) => ({
          beatSeconds,
          tenantSeconds,
        });
        const othersOf = async (division: Division) =>
          (await division.cut()).otherRhythms
            .map(({ beatSeconds, tenantSeconds }) => rhythm(beatSeconds, tenantSeconds));
        const [one, other, rare] = [
          open(),
          open(HALF),
          open(BEAT_SECONDS, databaseUrl, 2 * BEAT_SECONDS),
        ] as const;
        assert.deepEqual(await othersOf(one), []);
        await passToNextBeat();
        // Its beat may be one that a console has left that is not there any more.
        assert.deepEqual(await othersOf(other), []);
        await passToNextBeat();
        assert.deepEqual(await othersOf(one), [rhythm(HALF)]);
        await passToNextBeat();
        assert.deepEqual(await othersOf(other), [rhythm(BEAT_SECONDS)]);
        await passToNextBeat();
        await othersOf(rare);
        // Also where it does not cut this beat itself.
        assert.deepEqual(await othersOf(one), [rhythm(BEAT_SECONDS, 2 * BEAT_SECONDS)]);
        await passToNextBeat();
        await one.cut();
        assert.deepEqual(await othersOf(rare), [rhythm(BEAT_SECONDS)]);
      },
    );

    await check(
      "what a console left of batches that died is given to whoever comes first, also where another takes up what is left of its own",
      async () => {
        const [dead, other] = [open(), open()] as const;
        await dead.cut();
        const [divided, ...batches] = await takeAll(dead);
        const [kept] = divided!.customerIds as [string];
        await dead.divide(divided!, [kept], []);
        const [own] = batches;
        await dead.finish(batches.slice(1));
        await pass("heartbeat_on", CLAIM_MS / 1000 + 1);
        await other.recover();
        const [batch] = await other.take(1);
        assert.deepEqual(batch!.customerIds, own!.customerIds);
        const rest = await other.divide(batch!, batch!.customerIds.slice(0, 1), []);
        assert.equal(rest!.customerIds.length, 1);
        const rests = await sql`select id from pgboss.job where name = 'superoffice-rests'`;
        assert.deepEqual(rests.map(({ id }) => id), [rest!.claim.id]);
        assert.deepEqual(customersOf(await takeAll(other)), [kept]);
      },
    );

    await check(
      "who holds a lock on the table holds up nobody without end: the database ends the wait",
      async () => {
        const division = open();
        await division.cut();
        await passToNextBeat();
        const locking = await sql.reserve();
        try {
          await locking`begin`;
          await locking`lock table customers in access exclusive mode`;
          await assert.rejects(division.cut(), (error) => {
            assert.equal(((error as DatabaseError).cause as { code?: string }).code, "55P03");
            return true;
          });
        } finally {
          await locking`rollback`;
          locking.release();
        }
      },
      isEmbedded && "the embedded Postgres has one session",
    );

    await check(
      "a database that does not answer any more is not waited for without end",
      async () => {
        const door = await openDatabaseDoor(databaseUrl, "database-password");
        const division = open(BEAT_SECONDS, door.databaseUrl);
        await division.cut();
        const [batch] = await division.take(1);
        door.stall();
        await Promise.all([
          assert.rejects(division.take(1), DatabaseError),
          assert.rejects(division.divide(batch!, [], batch!.customerIds), DatabaseError),
        ]);
        await door.open();
        await division.cut();
        await division.close();
        await opened.at(-1)!.database.end({ timeout: 1 });
        await door.close();
      },
    );

    await check(
      "who may not make the schema is told what to do, and that does it",
      async () => {
        const role = `console_${databaseUrl.split("/").at(-1)}`;
        await sql`drop schema if exists pgboss cascade`;
        await sql.unsafe(`
          create role "${role}" login;
          grant select, update on customers to "${role}";
          grant select, insert, update, delete on tickets to "${role}";`);
        const url = new URL(databaseUrl);
        url.username = role;
        url.search = "?max=1";
        const division = open(BEAT_SECONDS, url.href);
        const { database } = opened.at(-1)!;
        for (let time = 0; time < 2; time++) {
          await assert.rejects(division.cut(), (error) => {
            assert.ok(error instanceof DatabaseError);
            assert.match(error.message, new RegExp(`user «${role}» may not make .* «pgboss» in «`));
            assert.match(
              error.remedy,
              /administrator run what this prints: npm run --silent customers -- share-sql/,
            );
            return true;
          });
          await database`select 1`;
        }
        const look = async () => {
          const { isMade, fault } = await inspectShare(database);
          return [isMade, fault?.message.split("share the work: ")[1]];
        };
        assert.deepEqual(await look(), [false, "there is none yet, and it may not make one"]);
        await sql`create schema pgboss`;
        assert.deepEqual(await look(), [false, "it may not use it"]);
        await sql.unsafe(`grant usage on schema pgboss to "${role}"`);
        assert.deepEqual(await look(), [false, "it may not make tables in it"]);
        const text = await pgBossSql(database);
        assert.match(text, new RegExp(`^-- .*\n-- "${role}", the user in DATABASE_URL`));
        for (let time = 0; time < 2; time++) await sql.unsafe(text);
        await sql`update pgboss.version set version = 3`;
        await assert.rejects(sql.unsafe(text), /pgboss is there in version 3, .* for version \d+$/);
        await sql`update pgboss.version set version = ${text.match(/for version (\d+)/)![1]!}`;
        assert.deepEqual(await look(), [true, undefined]);
        await sql.unsafe(`revoke delete on pgboss.queue from "${role}"`);
        assert.deepEqual(await look(), [true, "it may not read and write all its tables"]);
        await sql.unsafe(`grant delete on pgboss.queue to "${role}"`);
        await division.cut();
        const batches = await takeAll(division);
        assert.deepEqual(customersOf(batches), ids);
        assert.deepEqual(await division.renew(batches), []);
        await division.divide(batches[0]!, batches[0]!.customerIds, []);
        await division.recover();
        await division.finish(batches);
        await division.close();
        await database.end({ timeout: 1 });
        await sql.unsafe(`drop owned by "${role}"; drop role "${role}";`);
      },
      isEmbedded && "the embedded Postgres has one user",
    );

    await close();
  });
}
