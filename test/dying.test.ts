// What the console stands on dies while it runs: the database, the process itself, its files, its reader, a vendor's script.
import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type postgres from "postgres";
import type { StandIn } from "../fixtures/standIn.ts";
import {
  type ChildConsole,
  emptyFolder,
  runConsole,
  runtime,
  startCommand,
  startConsole,
} from "./support/childConsole.ts";
import { type DatabaseDoor, type DoorPolicy, openDatabaseDoor } from "./support/databaseDoor.ts";
import { count } from "./support/pollLines.ts";
import { CLIENT_SECRET, fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { testDatabases } from "./support/testDatabase.ts";
import { createRandom } from "./support/random.ts";
import { startTestStandIn } from "./support/testStandIn.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PASSWORD = "hidden-database-password";
const RUNNING = 5;
/** As many as are written together, so that each poll writes at once; the suspended ones cost no requests. */
const tenants = makeTenants(1000).map((tenant, index) =>
  index < RUNNING ? tenant : { ...tenant, state: "Suspended" }
);
const running = tenants.slice(0, RUNNING);
const POLL_SECONDS = "0.2";
/** A client that connects so often while it says the same twice tries without a pause. */
const MOST_KNOCKS = 200;
const UNREACHABLE =
  /ERROR .*cannot be reached \((CONNECTION_CLOSED|ECONNRESET|EPIPE|57P01)\)\. Check that it runs/;
const POLL_END = /Poll (done|broken off) in/;
/** Results that are fewer than a batch may wait for five seconds. */
const MOST_POLLS_UNTIL_WRITTEN = 40;
const PATIENCE_MS = 30_000;
const isWindows = process.platform === "win32";

// ── The database ──

for (const { name, start } of testDatabases) {
  test(`trouble with ${name} while the console runs`, async (t) => {
    const database = await start();
    const { sql, databaseUrl, isEmbedded } = database;
    const standIn = await startTestStandIn(tenants);
    await fillTable(sql, tenants);
    const door = await openDatabaseDoor(databaseUrl, PASSWORD);
    const settings = { ...settingsFor(standIn, door.databaseUrl), POLL_SECONDS };
    let living: ChildConsole | undefined;

    /** The console that has lived through all so far; a new one after one that did not. */
    async function console(): Promise<ChildConsole> {
      living ??= startConsole([], settings);
      await living.waitFor(POLL_END);
      return living;
    }

    async function check(what: string, body: (child: ChildConsole) => Promise<void>) {
      await t.test(what, async () => {
        const child = await console();
        living = undefined;
        try {
          await body(child);
          assertClean(child.output());
          living = child;
        } finally {
          await door.open();
          if (living === undefined) {
            child.kill();
            await child.ended;
          }
        }
      });
    }

    /** A trouble that lasts is told at each poll that meets it, with what to do. */
    async function lasting(
      what: string,
      line: RegExp,
      begin: () => unknown,
      end: () => unknown = door.open,
    ) {
      await check(`${what} is told, and over within two polls of its end`, async (child) => {
        const before = child.output().length;
        const connections = door.connections();
        let look = () => {};
        const knocks = new Promise<never>((_, reject) => {
          look = () => {
            if (door.connections() - connections < MOST_KNOCKS) return;
            reject(new Error(`${MOST_KNOCKS} connections; said:\n${child.output().slice(before)}`));
          };
        });
        door.events.on("connection", look);
        try {
          await begin();
          const told = count(child.output(), line);
          await Promise.race([child.waitFor(line, told + 2), knocks]);
        } finally {
          door.events.off("connection", look);
          await end();
        }
        const said = child.output().slice(before);
        const errors = said.split("\n").filter((line) => / ERROR /.test(line));
        const others = errors.filter((error) => !line.test(error) && !UNREACHABLE.test(error));
        assert.deepEqual(others, [], "something else was told");
        assert.ok(errors.length <= 2 * (count(said, POLL_END) + 1), said);
        await assertOver(child, sql);
      });
    }

    /** What passes by itself may be told. */
    async function passing(what: string, happen: (child: ChildConsole) => Promise<unknown>) {
      await check(`${what}: the console goes on`, async (child) => {
        await happen(child);
        await assertOver(child, sql);
      });
    }

    await lasting(
      "a server that is stopped and started again",
      /ERROR .*database server 127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)\. Check that it runs/,
      door.close,
    );

    // What the door does is the same for both: one will do, the server where there is one.
    if (!isEmbedded || testDatabases.length === 1) {
      const full = /ERROR .*too many clients already.*max_connections/;
      await t.test("a server that has no connections left is told with what to do", async () => {
        door.policy = "full";
        const { exitCode, output } = await runConsole(["--once"], settings);
        await door.open();
        assert.match(output, full);
        assertClean(output);
        assert.equal(exitCode, 1);
      });

      const policies: [string, DoorPolicy, RegExp][] = [
        [
          "a server that has no connections left any more",
          "full",
          full,
        ],
        ["a load balancer with nothing behind it, which hangs up at once", "hangUp", UNREACHABLE],
        ...[1, 2, 3].map((hangUpAt): [string, DoorPolicy, RegExp] => [
          `a connection that breaks when the client says something for the ${hangUpAt}. time`,
          { hangUpAt },
          UNREACHABLE,
        ]),
      ];
      for (const [what, policy, line] of policies) {
        await lasting(what, line, () => {
          door.policy = policy;
          door.cut();
        });
      }
    }

    if (!isEmbedded) {
      await passing(
        "a server that answers no more in the middle of a question, and then is gone",
        async () => {
          await once(door.events, "said", { signal: patience() });
          door.stall();
          await sql`select`;
          door.cut();
          await door.open();
        },
      );

      await lasting(
        "a database that can only be read",
        /ERROR +The results could not be written: .*read-only/,
        async () => {
          await sql.unsafe(
            `alter database ${database.name} set default_transaction_read_only = on`,
          );
          await terminateConsole(sql);
        },
        () => sql.unsafe(`alter database ${database.name} reset default_transaction_read_only`),
      );

      await lasting(
        "a column that is dropped and added again",
        /ERROR .*not as expected: column .*last_error.*schema\.sql/,
        () => sql`alter table customers drop column last_error`,
        () => sql`alter table customers add column last_error text`,
      );

      await lasting(
        "a table that is renamed and renamed back",
        /ERROR .*has no table «customers».*schema\.sql/,
        () => sql`alter table customers rename to elsewhere`,
        () => sql`alter table elsewhere rename to customers`,
      );

      await passing("all connections are terminated by the administrator", async () => {
        assert.ok(await terminateConsole(sql) > 0);
      });

      await passing("a column becomes of another type", async (child) => {
        const before = child.output().length;
        await sql`alter table customers alter column context_identifier type varchar(40)`;
        await polls(child, 2);
        await sql`alter table customers alter column context_identifier type text`;
        await polls(child, 2);
        assert.doesNotMatch(child.output().slice(before), /WARNING|ERROR/);
      });

      await passing("a table that is locked, and unlocked", async (child) => {
        const before = child.output().length;
        await sql.begin(async (transaction) => {
          await transaction`lock table customers in access exclusive mode`;
          await consoleWaitsForLock(sql);
        });
        await polls(child, 2);
        assert.doesNotMatch(child.output().slice(before), /WARNING|ERROR/);
      });

      await passing("a connection that is terminated while it waits for a lock", async (child) => {
        await sql.begin(async (transaction) => {
          await transaction`lock table customers in access exclusive mode`;
          await consoleWaitsForLock(sql);
          const told = child.waitFor(UNREACHABLE, count(child.output(), UNREACHABLE) + 1);
          assert.ok(await terminateConsole(sql) > 0);
          await told;
        });
      });
    }

    await t.test("after all this it stops with exit code 0", async () => {
      const child = await console();
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
    });
    await standIn.close();
    await database.close();
  });
}

// One database will do for what follows, the server where there is one.
for (const { name, start } of testDatabases.slice(-1)) {
  test(`what else dies, on ${name}`, async (t) => {
    const database = await start();
    const { sql, databaseUrl, isEmbedded } = database;
    const standIn = await startTestStandIn(tenants);
    const settings = { ...settingsFor(standIn, databaseUrl), POLL_SECONDS };

    await t.test("a process that is killed, at whatever moment, leaves nothing half done", async () => {
      const few = tenants.slice(0, 4 * RUNNING);
      const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
      const kills = Number(process.env["KILLS"] ?? 2);
      const random = createRandom(seed);
      const logFolder = emptyFolder();
      const variables = { LOG_FILE: join(logFolder, "log.txt") };
      await fillTable(sql, few);
      const door = await openDatabaseDoor(databaseUrl, PASSWORD);
      const killed = { ...settingsFor(standIn, door.databaseUrl), ...variables };
      const log = createLogReader(logFolder);
      let written = 0;
      for (let kill = 1; kill <= kills; kill++) {
        const moment = pickMoment(random);
        const which = `kill ${kill} with SEED=${seed}, at ${moment.of} ${moment.at}`;
        await sql`update customers set last_sync = null, last_error = 'old'`;
        const child = startConsole(["--once"], killed);
        await until(moment, child, standIn, door);
        child.kill();
        await child.ended;
        assertClean(child.output().replace(/[^\n]*$/, ""), which);
        written += await assertWholeRows(sql, which);
        if (!isEmbedded) await assertNothingLocked(sql, which);
        await log.assertWholeLines(true, which);

        const next = await runConsole(["--once"], { ...settings, ...variables });
        assert.equal(next.exitCode, 0, `${which}:\n${next.output}`);
        assert.doesNotMatch(next.output, /WARNING|ERROR/, which);
        assert.equal(count(next.output, /Logged on to context/), RUNNING, which);
        assert.equal(await assertWholeRows(sql, which), few.length, which);
        await log.assertWholeLines(false, which);
      }
      globalThis.console.log(
        `${kills} kills with SEED=${seed}, after which ${written} rows were written in all`,
      );
    });

    await t.test("two consoles on one database both log on to all, and write", async () => {
      await fillTable(sql, tenants);
      const both = [startConsole([], settings), startConsole([], settings)];
      for (const child of both) await child.waitFor(POLL_END, 3);
      const first = await lastSyncs(sql);
      for (const child of both) await polls(child, 4);
      const second = await lastSyncs(sql);
      for (const child of both) child.signal("SIGTERM");
      for (const child of both) {
        assert.equal(await child.ended, 0);
        assertClean(child.output());
        // Rows that the other writes at the moment are tried again, which may be told.
        const others = child.output().split("\n").filter((line) =>
          /WARNING|ERROR|deadlock/.test(line) && !/is not written yet, since another/.test(line)
        );
        assert.deepEqual(others, []);
        for (const { contextIdentifier } of running) {
          assert.ok(count(child.output(), loggedOnTo(contextIdentifier)) >= 3);
        }
      }
      second.forEach((at, index) => assert.ok(at > first[index]!, `${at} after ${first[index]}`));
    });

    await t.test("without file descriptors left it says so, and works when it has some again", {
      skip: isWindows && "there is no ulimit",
    }, async () => {
      const tryIt = async (took: (child: ChildConsole) => void) => {
        const many = makeTenants(240);
        const crowd = await startTestStandIn(many);
        await fillTable(sql, many);
        let answer = () => {};
        const held = new Promise<void>((resolve) => answer = resolve);
        const letGo = crowd.misbehave({ at: "state", how: { until: held } });
        const child = startCommand(
          ["sh", "-c", 'ulimit -n 128 && exec "$@"', "sh", ...runtime()],
          { ...settingsFor(crowd, databaseUrl), POLL_SECONDS, CONCURRENCY: "240" },
        );
        took(child);
        // Nobody gets through, which is told once.
        await child.waitFor(/WARNING .*(EMFILE|too many open files).*\[NETWORK_FAILED\]/i);
        letGo();
        answer();
        const few = many.slice(0, 3).map(({ contextIdentifier }) => contextIdentifier);
        await sql`update customers set is_active = context_identifier in ${sql(few)}`;
        // Requests are repeated after a while, which is longer than these polls.
        for (const customer of few) await child.waitFor(loggedOnTo(customer));
        // The first polls have the others in hand, and end whenever these do.
        const pollOfFew = / Poll done in \d+ ms: 3 logged on, 0 skipped, 0 failed, 3 calls$/;
        await child.waitFor(/ Poll done in \d+ ms: .* [1-9]\d* failed/);
        await child.waitFor(pollOfFew);
        const before = child.output().length;
        await child.waitFor(pollOfFew, count(child.output(), pollOfFew) + 3);
        const since = child.output().slice(before);
        for (const customer of few) assert.match(since, loggedOnTo(customer));
        assert.doesNotMatch(since, /WARNING|ERROR/);
        child.signal("SIGTERM");
        assert.equal(await child.ended, 0, child.output());
        assertClean(child.output());
        await crowd.close();
      };
      // Deno 2.9.5 itself may end then: it opens /proc/self/maps to learn how large its stack is, and takes it for a mistake of
      // its own that it cannot. What such a run came to says nothing of this program.
      for (let runs = 1;; runs++) {
        let output = () => "";
        try {
          return await tryIt((child) => output = child.output);
        } catch (error) {
          if (runs === 4 || !output().includes("Deno has panicked")) throw error;
        }
      }
    });

    await t.test("work scripts that fail when nobody waits for them end nothing, and are told in a line each", async () => {
      await fillTable(sql, running);
      const path = join(emptyFolder(), "careless.ts");
      await writeFile(path, CARELESS);
      const child = startConsole(["--work", path], settings);
      for (const words of CARELESS_WORDS) {
        await child.waitFor(new RegExp(` WARNING Cust\\d+: .*${words.source}.*\\[WORK_FAILED\\]$`));
      }
      await assertOver(child, sql, false);
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
      assertClean(child.output());
    });

    await t.test("a reader that goes away ends it with exit code 1, its log file whole", {
      skip: isWindows && "there is no sh",
    }, async () => {
      await fillTable(sql, running);
      const folder = emptyFolder();
      const child = startCommand(
        ["sh", "-c", '{ "$@"; echo "exit code $?" >&2; } | head -1', "sh", ...runtime()],
        { ...settings, LOG_FILE: join(folder, "log.txt") },
      );
      await child.ended;
      assert.match(child.output(), /^exit code 1$/m);
      const lines = child.output().trim().split("\n");
      assert.equal(lines.length, 2, child.output());
      await createLogReader(folder).assertWholeLines(false, "the log file");
    });

    await t.test("a reader that reads no more for a while costs bounded memory, and the polls go on after it", async () => {
      await fillTable(sql, running);
      const path = join(emptyFolder(), "talkative.ts");
      await writeFile(path, TALKATIVE);
      const child = startConsole(["--work", path], settings);
      await child.waitFor(POLL_END, 2);
      child.stopReading();
      const before = child.output().length;
      await pollsUnread(standIn, 2 * MOST_UNREAD_MILLIONS);
      child.readOn();
      // On Deno it waits for its reader, and loses nothing.
      if (!("Deno" in globalThis)) {
        await child.waitFor(LOST_LINES);
        // What was kept comes before it.
        const millions = (child.output().search(LOST_LINES) - before) / 1e6;
        assert.ok(millions < MOST_UNREAD_MILLIONS, `${millions} million characters were kept`);
      }
      await polls(child, 3);
      child.signal("SIGTERM");
      assert.equal(await child.ended, 0);
      assertClean(child.output());
    });

    await t.test("a stop while nobody reads ends it", {
      // There it waits for its reader, and hears nothing.
      skip: "Deno" in globalThis && "Deno writes synchronously",
    }, async () => {
      await fillTable(sql, running);
      const path = join(emptyFolder(), "talkative.ts");
      await writeFile(path, TALKATIVE);
      const child = startConsole(["--work", path], { ...settings, SHUTDOWN_SECONDS: "0.5" });
      await child.waitFor(POLL_END);
      child.stopReading();
      await pollsUnread(standIn, 3);
      const enough = patience();
      child.signal("SIGTERM");
      await Promise.race([child.exited, once(enough, "abort")]);
      assert.ok(!enough.aborted, "it did not end");
      child.readOn();
      assert.equal(await child.ended, 0);
    });

    await standIn.close();
    await database.close();
  });
}

// ── Before the service begins ──

test("a file that is missing from the program is said in words, with exit code 1", async () => {
  const folder = await programWithout("src/console/loop.ts");
  const command = runtime().map((part) =>
    part.startsWith(ROOT) ? part.replace(ROOT, `${folder}/`) : part
  );
  const nowhere = { loginUrl: "http://127.0.0.1:9" } as StandIn;
  const child = startCommand(
    [...command, "--once"],
    settingsFor(nowhere, "postgres://postgres@127.0.0.1:9/none"),
  );
  const exitCode = await child.ended;
  const output = child.output();
  assert.match(output, /loop\.ts/);
  assert.doesNotMatch(output, /^\s+at /m);
  assert.equal(exitCode, 1);
});

for (
  const [what, source] of [
    ["throws later", "setTimeout(() => { throw new Error('too early'); });"],
    ["leaves a promise behind that fails", "void Promise.reject(new Error('too early'));"],
  ]
) {
  test(`a work script that ${what} while it is loaded is said in words`, async () => {
    const path = join(emptyFolder(), "early.ts");
    await writeFile(path, `${source} export default async () => {};`);
    const { exitCode, output } = await runConsole(["--demo", "--once", "--work", path], {});
    assert.equal(count(output, /too early/), 1, output);
    assert.doesNotMatch(output, /^\s+at |node:internal|Uncaught/m);
    assert.equal(exitCode, 1);
  });
}

// ── What is used above ──

const CARELESS = `
let times = 0;
export default async () => {
  switch (times++) {
    case 0: return void setTimeout(() => { throw new Error("a timer that threw"); });
    case 1: return void Promise.reject(new Error("a promise left behind"));
    case 2: return void setTimeout(() => { throw "a text\\nof two lines"; });
    case 3: return void setTimeout(() => { throw undefined; });
    case 4: return void Promise.reject(Object.create(null));
    case 5: return void setTimeout(() => { throw Object.create(null); });
  }
};`;
const CARELESS_WORDS = [
  /a timer that threw/,
  /a promise left behind/,
  /a text.*of two lines/,
  /undefined/,
  /no error|object/i,
];

/** Says a million characters at each poll. */
const TALKATIVE = `
const much = "x".repeat(10_000);
export default async ({ log }) => {
  for (let line = 0; line < ${100 / RUNNING}; line++) log.info("{customer}: " + much);
};`;
const MOST_UNREAD_MILLIONS = 8;
const LOST_LINES = /WARNING \d+ lines were not printed, since nobody read them/;

/** What never comes must fail, not hang. */
function patience(): AbortSignal {
  return AbortSignal.timeout(PATIENCE_MS);
}

/** That no line is torn, none holds a stack, a secret, or a mistake of the program's own. */
function assertClean(output: string, which = ""): void {
  const torn = output.split("\n").filter((line) =>
    line !== "" && !/^\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARNING|ERROR) +\S/.test(line)
  );
  assert.deepEqual(torn, [], `${which}: lines that are none of the log`);
  assert.doesNotMatch(output, /UNEXPECTED|should not happen/, which);
  for (const secret of [PASSWORD, CLIENT_SECRET, "Test App-"]) {
    assert.ok(!output.includes(secret), `${which}: ${secret} was printed`);
  }
}

/** Waits for the ends of so many polls more. */
async function polls(child: ChildConsole, times: number): Promise<void> {
  await child.waitFor(POLL_END, count(child.output(), POLL_END) + times);
}

/**
 * That the trouble is over that ended now: the poll under way and two more see every customer logged on; soon a batch is
 * written that was begun since, and from then on nothing is told.
 */
async function assertOver(child: ChildConsole, sql: postgres.Sql, writesAtOnce = true) {
  const before = child.output().length;
  const [row] = await sql<{ now: Date }[]>`select clock_timestamp() as now`;
  const { now } = row!;
  await polls(child, 3);
  const meanwhile = child.output().slice(before);
  for (const { contextIdentifier } of running) {
    assert.match(meanwhile, loggedOnTo(contextIdentifier), "it was not back after two polls");
  }
  if (writesAtOnce) await assertWritten(child, sql, now);
  const until = child.output().length;
  await polls(child, 2);
  assert.doesNotMatch(child.output().slice(until), /WARNING|ERROR/);
}

/** That the running customers' rows are newer before many polls are over: a machine can be slow. */
async function assertWritten(child: ChildConsole, sql: postgres.Sql, since: Date) {
  const isOlder = (at: Date) => at < since;
  for (let more = MOST_POLLS_UNTIL_WRITTEN; (await lastSyncs(sql)).some(isOlder); more--) {
    assert.ok(more > 0, `a row is older than ${since.toISOString()}; said:\n${child.output()}`);
    await polls(child, 1);
  }
}

function loggedOnTo(contextIdentifier: string): RegExp {
  return new RegExp(`Logged on to context ${contextIdentifier} `);
}

/** When the running customers were logged on to. */
async function lastSyncs(sql: postgres.Sql): Promise<Date[]> {
  const names = running.map(({ contextIdentifier }) => contextIdentifier);
  const rows = await sql<{ at: Date }[]>`
    select last_sync as at from customers where context_identifier in ${sql(names)} order by id`;
  assert.equal(rows.length, RUNNING);
  return rows.map(({ at }) => at);
}

const OF_THE_CONSOLE =
  "datname = current_database() and application_name like 'system-user-service-console %'";

/** Gives how many connections that were. */
async function terminateConsole(sql: postgres.Sql): Promise<number> {
  return (await sql.unsafe(
    `select pg_terminate_backend(pid) from pg_stat_activity where ${OF_THE_CONSOLE}`,
  )).length;
}

async function consoleWaitsForLock(sql: postgres.Sql): Promise<void> {
  await becomes(
    sql,
    `select from pg_stat_activity where ${OF_THE_CONSOLE} and wait_event_type = 'Lock'`,
    "rows",
  );
}

/** Waits until a query gives rows, or none. */
async function becomes(sql: postgres.Sql, query: string, gives: "rows" | "none"): Promise<void> {
  const enough = patience();
  while ((await sql.unsafe(query)).length > 0 !== (gives === "rows")) {
    await delay(10, undefined, { signal: enough });
  }
}

/** What is counted from the console's start, and up to how many. */
const MOMENTS = { "line": 21, "request": 31, "word to the database": 8 };

interface Moment {
  of: keyof typeof MOMENTS;
  at: number;
}

function pickMoment(random: () => number): Moment {
  const kinds = Object.keys(MOMENTS) as Moment["of"][];
  const of = kinds[Math.floor(random() * kinds.length)]!;
  return { of, at: 1 + Math.floor(random() * MOMENTS[of]) };
}

async function until(
  { of, at }: Moment,
  child: ChildConsole,
  standIn: StandIn,
  door: DatabaseDoor,
): Promise<void> {
  // It may have ended before, which is as good a moment.
  if (of === "line") return await child.waitFor(/./, at).catch(() => {});
  const [events, event] = of === "request" ? [standIn.events, "request"] : [door.events, "said"];
  let left = at;
  await new Promise<void>((resolve) => {
    function look() {
      if (--left > 0) return;
      events.off(event, look);
      resolve();
    }
    events.on(event, look);
    void child.ended.then(() => {
      events.off(event, look);
      resolve();
    });
  });
}

/** That each row is as it was ("old") or as it is to be; gives how many are the latter. */
async function assertWholeRows(sql: postgres.Sql, which: string): Promise<number> {
  const rows = await sql<{ customer: string; last_sync: Date | null; last_error: string | null }[]>`
    select context_identifier as customer, last_sync, last_error from customers order by id`;
  const runningOnes = new Set(running.map(({ contextIdentifier }) => contextIdentifier));
  let written = 0;
  for (const { customer, last_sync, last_error } of rows) {
    const isOld = last_sync === null && last_error === "old";
    const isNew = runningOnes.has(customer)
      ? last_sync !== null && last_error === null
      : last_sync === null && /^.*Suspended.*\.$/.test(last_error ?? "");
    assert.ok(isOld || isNew, `${which}: ${customer} has ${last_sync} and ${last_error}`);
    if (isNew) written++;
  }
  return written;
}

async function assertNothingLocked(sql: postgres.Sql, which: string): Promise<void> {
  // What was under way is finished by the server, which then finds that nobody is there.
  await becomes(sql, `select from pg_stat_activity where ${OF_THE_CONSOLE}`, "none");
  await assert.doesNotReject(
    sql.begin((transaction) => transaction`lock table customers in access exclusive mode nowait`),
    which,
  );
}

/** Reads what was added to the log since it was read last. */
function createLogReader(folder: string) {
  const read = new Map<string, number>();
  let wasCut = false;

  async function readNews(): Promise<string> {
    let news = "";
    for (const file of (await readdir(folder)).sort()) {
      const text = await readFile(join(folder, file), "utf8");
      news += text.slice(read.get(file) ?? 0);
      read.set(file, text.length);
    }
    return news;
  }

  return {
    async assertWholeLines(mayBeCut: boolean, which: string): Promise<void> {
      const lines = (await readNews()).split("\n");
      const last = lines.pop()!;
      if (!mayBeCut) assert.equal(last, "", `${which}: the log's last line is cut`);
      assertClean(lines.slice(wasCut ? 1 : 0).join("\n"), which);
      wasCut = last !== "";
    },
  };
}

/**
 * Waits for so many polls, as the stand-in sees them, or until there are none: where the system makes the console wait for
 * its reader, it does nothing else meanwhile. Gives how many came.
 */
async function pollsUnread(standIn: StandIn, times: number): Promise<number> {
  let polled = 0;
  await new Promise<void>((resolve) => {
    let silence = setTimeout(resolve, SILENCE_MS);
    standIn.events.on("request", function look(place: string, customer: string) {
      if (place !== "call" || customer !== running[0]!.contextIdentifier) return;
      clearTimeout(silence);
      silence = setTimeout(resolve, SILENCE_MS);
      if (++polled < times) return;
      clearTimeout(silence);
      standIn.events.off("request", look);
      resolve();
    });
  });
  return polled;
}

const SILENCE_MS = 3000;

/** The program in a folder of its own, without one of its files; gives the folder. */
async function programWithout(file: string): Promise<string> {
  const folder = emptyFolder();
  for (const name of ["src", "package.json", "deno.json", "deno.lock"]) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  }
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  await rm(join(folder, file));
  return folder;
}
