// The benchmark: `npm run bench` or `deno task bench`, with --quick for a short form.
// Writes results.json, draws the plots, and prints the table of what was to be reached.
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type BenchDatabase, openBenchDatabase } from "./benchDatabase.ts";
import { measureMemory } from "./measureMemory.ts";
import { measurePolls } from "./measurePolls.ts";
import { measurePublishedWay } from "./measurePublishedWay.ts";
import { measureRoundTrips } from "./measureRoundTrips.ts";
import { measureSigning } from "./measureSigning.ts";
import { measureStartUp } from "./measureStartUp.ts";
import { fullPlan, type Plan, quickPlan } from "./plan.ts";
import { reachTable } from "./reach.ts";
import { describeMachine, type Results } from "./results.ts";
import { deno, node } from "./runtimes.ts";

const startedAt = performance.now();
const elapsed = () => `${Math.round((performance.now() - startedAt) / 1000)} s`;

async function measureAll(plan: Plan, database: BenchDatabase) {
  const { databaseUrl } = database;
  const say = <T>(what: string, figures: T): T => {
    console.log(`${elapsed()}: ${what} ${JSON.stringify(figures, rounded)}`);
    return figures;
  };

  const startUp = say("start-up", await measureStartUp(plan.startUps, databaseUrl));
  const signing = say("signing", await measureSigning(plan.signing));
  const publishedWay = [];
  for (const { customers, latencyMs } of plan.publishedWay) {
    publishedWay.push(say("published way", await measurePublishedWay(customers, latencyMs)));
  }
  const polls = [];
  for (const scenario of plan.scenarios) {
    await database.fill(scenario.customers);
    for (const runtime of [node, deno]) {
      polls.push(say("polls", await measurePolls(runtime, scenario, databaseUrl)));
    }
  }
  const roundTrips = [];
  for (const { customers, latencyMs } of plan.roundTrips) {
    await database.fill(customers);
    const figures = await measureRoundTrips(customers, latencyMs, databaseUrl);
    roundTrips.push(say("round trips", figures));
  }
  const memory = [];
  for (const customers of plan.memoryCustomers) {
    for (const runtime of [node, deno]) {
      memory.push(say("memory", await measureMemory(runtime, customers, database)));
    }
  }
  return { polls, publishedWay, signing, memory, roundTrips, startUp };
}

function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}

const quick = process.argv.includes("--quick");
const database = await openBenchDatabase();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => void database.close().finally(() => process.exit(1)));
}
try {
  const figures = await measureAll(quick ? quickPlan : fullPlan, database);
  const results: Results = {
    when: new Date().toISOString(),
    took: elapsed(),
    quick,
    machine: describeMachine(),
    database: database.kind,
    ...figures,
  };
  // A quick run shows that all works; it must not replace real figures.
  if (!quick) {
    const file = new URL("results.json", import.meta.url);
    await writeFile(file, `${JSON.stringify(results, rounded, 2)}\n`);
    const [program = "", ...before] = node.command;
    spawnSync(program, [...before, fileURLToPath(new URL("plots.ts", import.meta.url))], {
      stdio: "inherit",
    });
  }
  console.log(`\n${reachTable(results)}\n`);
} finally {
  await database.close();
}
