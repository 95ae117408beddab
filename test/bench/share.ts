// The benchmark of consoles that share the work, beside one that does not: npm run bench:share, with --quick for a short form.
// Needs a Postgres server, and pg-boss.
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { type BenchDatabase, openBenchDatabase } from "./benchDatabase.ts";
import { startConsoleChild } from "./consoleChild.ts";
import { measureDivision } from "./measureDivision.ts";
import { node } from "./runtimes.ts";
import { startStandInChild } from "./standInChild.ts";

const LATENCY_MS = 50;
const BEAT_SECONDS = 20;

interface SharedBeat {
  /** From the beat's start to the end of the console that ended last, in milliseconds. */
  ms: number;
  /** How many each console logged on to. */
  shares: number[];
}

/** The later beats of so many consoles, with what they ask of Postgres in a second: in the beats, and in the time between. */
async function measureConsoles(
  consoles: number,
  customers: number,
  variables: Record<string, string>,
  beats: number,
  { databaseUrl }: BenchDatabase,
) {
  const standIn = await startStandInChild(customers, LATENCY_MS);
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  await sql`truncate tickets`;
  const transactions = async () => {
    const [row] = await sql<[{ n: string }]>`
      select xact_commit as n from pg_stat_database where datname = current_database()`;
    return Number(row.n);
  };
  const options = { loginUrl: standIn.loginUrl, databaseUrl, pollSeconds: BEAT_SECONDS, variables };
  const children = Array.from({ length: consoles }, () => startConsoleChild(node, options));
  // The first beat may be joined in the middle, and the second one exchanges what is left.
  const skipped = 3;
  const all = await Promise.all(children.map((child) => child.polls(skipped)))
    .then(async () => {
      const before = { at: performance.now(), n: await transactions() };
      const polls = await Promise.all(children.map((child) => child.polls(skipped + beats)));
      await delay(BEAT_SECONDS * 1000 * 0.25);
      const perBeat = (await transactions() - before.n) / beats;
      return { polls, perBeat };
    });
  for (const child of children) await child.stop();
  const { exchange } = await standIn.counts();
  await standIn.close();
  await sql.end();
  const shared = Array.from({ length: beats }, (_, beat): SharedBeat => {
    const parts = all.polls.map((polls) => polls[skipped + beat]!);
    return {
      ms: Math.max(...parts.map(({ ms }) => ms)),
      shares: parts.map(({ loggedOn }) => loggedOn),
    };
  });
  return { consoles, exchange, transactionsPerBeat: Math.round(all.perBeat), beats: shared };
}

const quick = process.argv.includes("--quick");
const customers = quick ? 1000 : 10_000;
const database = await openBenchDatabase();
const say = (what: string, figures: unknown) => console.log(`${what} ${JSON.stringify(figures)}`);
try {
  await database.fill(customers);
  for (const kind of ["pg-boss", "leases"] as const) {
    for (const consoles of [1, 2, 4]) {
      const beats = await measureDivision(database.databaseUrl, kind, consoles, LATENCY_MS, 32);
      say(`the division alone, ${kind}, ${consoles}:`, beats.slice(1));
    }
  }
  const shares = { SHARE: "on" };
  say("one console that shares nothing:", await measureConsoles(1, customers, {}, 2, database));
  for (const consoles of [1, 2, 4]) {
    say("consoles that share:", await measureConsoles(consoles, customers, shares, 2, database));
  }
} finally {
  await database.close();
}
process.exit(0);
