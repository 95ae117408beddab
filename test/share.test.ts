// Consoles that share the work, while some of them die, freeze, stop and start: as processes, on both runtimes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { deno, MAIN, node } from "./bench/runtimes.ts";
import { type ChildConsole, startCommand } from "./support/childConsole.ts";
import { hasPgBoss } from "./support/pgBossHere.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { testDatabases } from "./support/testDatabase.ts";

const CUSTOMERS = 3000;
const SLOW = "Cust10001";
const SLOW_MS = 9000;
const BEAT_MS = 15_000;
/** What a console may have in hand when it is lost. */
const MOST_IN_HAND = 200;

const server = testDatabases.find(({ name }) => name === "a Postgres server");
const skip = server === undefined
  ? "it needs a PostgreSQL server, named in TEST_DATABASE_URL"
  : !hasPgBoss
  ? "pg-boss is not installed"
  : !("Deno" in globalThis)
  ? "it runs once, where Deno's tests do, with consoles on both runtimes"
  : false;

test(
  "over ten beats, while consoles are killed, frozen, stopped and started, each customer is worked on once a beat",
  { skip },
  async () => {
    const { sql, databaseUrl, close } = await server!.start();
    const tenants = makeTenants(CUSTOMERS);
    const standIn = await startTestStandIn(tenants, { latencyMs: 20 });
    await fillTable(sql, tenants);

    /** When each customer was called. */
    const calls = new Map<string, number[]>(
      tenants.map(({ contextIdentifier }) => [contextIdentifier, []]),
    );
    let callsInAll = 0;
    standIn.events.on("request", (place: string, contextIdentifier: string) => {
      if (place !== "call") return;
      calls.get(contextIdentifier)!.push(Date.now());
      callsInAll++;
      if (contextIdentifier !== SLOW) return;
      standIn.misbehave({
        at: "call",
        contextIdentifier,
        times: 1,
        how: { until: delay(SLOW_MS) },
      });
    });

    function start({ command }: typeof node): ChildConsole {
      const settings = { ...settingsFor(standIn, databaseUrl), POLL_SECONDS: `${BEAT_MS / 1000}` };
      return startCommand([...command, MAIN, "--share"], { ...settings, LOG_LEVEL: "warning" });
    }

    // The slow one may be in hand at a beat's start, after its console was lost.
    const quick = tenants.filter(({ contextIdentifier }) => contextIdentifier !== SLOW);
    const times = (beat: number) =>
      quick.map(({ contextIdentifier }) =>
        calls.get(contextIdentifier)!.filter((at) => Math.floor(at / BEAT_MS) === beat).length
      );
    const beatNow = () => Math.floor(Date.now() / BEAT_MS);
    const begins = (beat: number) => delay(beat * BEAT_MS - Date.now());
    /** Resolves amid a beat: when a third of its customers were called. */
    async function amid(beat: number): Promise<void> {
      await begins(beat);
      const before = callsInAll;
      while (callsInAll - before < CUSTOMERS / 3) await delay(5);
    }

    const [killed, frozen, stopped] = [start(node), start(deno), start(node)] as const;
    // They have begun when all customers were called in one beat, once.
    let first = beatNow() + 2;
    while (await begins(first), !times(first - 1).every((n) => n === 1)) first++;
    await amid(first + 2);
    killed.kill();
    await amid(first + 4);
    frozen.signal("SIGSTOP");
    await delay(BEAT_MS + 3000);
    frozen.signal("SIGCONT");
    await amid(first + 7);
    stopped.signal("SIGTERM");
    assert.equal(await stopped.ended, 0);
    await amid(first + 8);
    const started = start(deno);
    await begins(first + 10);
    const beats = Array.from({ length: 10 }, (_, index) => first + index);

    const calm = [0, 1, 7, 8, 9].map((index) => first + index);
    for (const beat of calm) {
      const each = times(beat);
      assert.deepEqual(
        {
          beat: beat - first,
          missed: each.filter((n) => n === 0).length,
          twice: each.filter((n) => n > 1).length,
        },
        { beat: beat - first, missed: 0, twice: 0 },
      );
    }
    for (const beat of beats) {
      const extra = times(beat).reduce((sum, n) => sum + Math.max(0, n - 1), 0);
      assert.ok(extra <= MOST_IN_HAND, `${extra} calls too many in beat ${beat - first}`);
    }
    for (const [contextIdentifier, at] of calls) {
      const gaps = at.slice(1).map((time, index) => time - at[index]!);
      assert.ok(
        Math.max(...gaps) <= 2 * BEAT_MS + 1000,
        `${contextIdentifier} waited ${Math.max(...gaps)} ms`,
      );
      if (contextIdentifier === SLOW) {
        assert.ok(
          Math.min(...gaps) >= SLOW_MS,
          "the slow one overlapped itself",
        );
      }
    }
    assert.equal(standIn.counts.exchange, CUSTOMERS);
    for (const console of [frozen, started]) {
      console.signal("SIGTERM");
      assert.equal(await console.ended, 0);
      assert.doesNotMatch(console.output(), /WARNING|ERROR/);
    }
    await standIn.close();
    await close();
  },
);
