// What a restart costs with stored tickets and without, and what a SIGKILL amid the first poll loses: npm run bench:restart, with
// --quick for a short form, and --customers 100000 for another number.
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import postgres from "postgres";
import { type BenchDatabase, openBenchDatabase } from "./benchDatabase.ts";
import { type ConsoleOptions, startConsoleChild } from "./consoleChild.ts";
import { deno, node, type Runtime } from "./runtimes.ts";
import { startStandInChild } from "./standInChild.ts";

const POLL_SECONDS = 15;
/** Within this time after its exchange a ticket is to be stored. */
const STORED_MS = 500;
const LOOK_MS = 20;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    customers: { type: "string" },
    latency: { type: "string", default: "50" },
  },
});
const customers = Number(values.customers ?? (values.quick ? 1000 : 10_000));
const latencyMs = Number(values.latency);

async function optionsFor(database: BenchDatabase, store: string) {
  const sql = postgres(database.databaseUrl, { max: 1, onnotice: () => {} });
  await sql`truncate tickets`;
  await sql.end();
  const standIn = await startStandInChild(customers, latencyMs);
  const options: ConsoleOptions = {
    loginUrl: standIn.loginUrl,
    databaseUrl: database.databaseUrl,
    pollSeconds: POLL_SECONDS,
    variables: { TICKET_STORE: store, CONCURRENCY: "auto" },
  };
  return { standIn, options };
}

/** The polls of one process after the other, and the exchanges of both. */
async function measureRestart(
  runtime: Runtime,
  store: string,
  database: BenchDatabase,
) {
  const { standIn, options } = await optionsFor(database, store);
  const polls = [];
  for (let start = 0; start < 2; start++) {
    const child = startConsoleChild(runtime, options);
    polls.push((await child.polls(3)).map(({ ms, cpuMs }) => ({ ms, cpuMs })));
    await child.stop();
  }
  const { exchange } = await standIn.counts();
  await standIn.close();
  return { firstStart: polls[0], secondStart: polls[1], exchanges: exchange };
}

/** Kills a console when so many tokens were exchanged; gives how many were exchanged again, and how many in the last half second. */
async function measureKill(
  runtime: Runtime,
  exchangesBefore: number,
  database: BenchDatabase,
) {
  const { standIn, options } = await optionsFor(database, "database");
  const first = startConsoleChild(runtime, options);
  const seen: { at: number; exchanges: number }[] = [{ at: performance.now(), exchanges: 0 }];
  while (seen.at(-1)!.exchanges < exchangesBefore) {
    await delay(LOOK_MS);
    const { exchange } = await standIn.counts();
    seen.push({ at: performance.now(), exchanges: exchange });
  }
  const killedAt = performance.now();
  await first.kill();
  await delay(LOOK_MS);
  const { exchange: whenKilled } = await standIn.counts();
  const before = seen.filter(({ at }) => at < killedAt - STORED_MS).at(-1)!;
  const second = startConsoleChild(runtime, options);
  await second.polls(1);
  await second.stop();
  const { exchange: inAll } = await standIn.counts();
  await standIn.close();
  return {
    whenKilled,
    exchangedAgain: inAll - customers,
    inTheLastHalfSecond: whenKilled - before.exchanges,
  };
}

const database = await openBenchDatabase();
const say = (what: string, figures: unknown) => console.log(`${what} ${JSON.stringify(figures)}`);
try {
  await database.fill(customers);
  for (const runtime of [node, deno]) {
    for (const store of ["memory", "database"]) {
      say(`${runtime.name}, ${store}:`, await measureRestart(runtime, store, database));
    }
    for (const part of [0.2, 0.5, 0.8]) {
      const kill = await measureKill(runtime, Math.round(part * customers), database);
      say(`${runtime.name}, killed amid the first poll:`, kill);
    }
  }
} finally {
  await database.close();
}
process.exit(0);
