// The soak: `npm run soak` or `deno task soak`. Runs the console for minutes at a fast beat, in trouble of every kind, and fails
// when what it holds does not stay level, or when a healthy customer feels the others' trouble.
//   --minutes 5        how long; a third of it is warm-up
//   --runtime node     or deno
//   --seed 1           for the same troubles in the same order
//   --hostile 3000     so many hostile bodies of up to a megabyte in place of the troubles, with the memory at every hundred
//   --leak             leaks on purpose, to see that the soak finds it
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBenchDatabase } from "./benchDatabase.ts";
import { startChild } from "./childLines.ts";
import { deno, node } from "./runtimes.ts";
import { type Sample, type SoakedConsole, startSoakedConsole } from "./soakConsole.ts";
import type { TroublesInput, TroublesMade } from "./soakTroubles.ts";

const TROUBLES = fileURLToPath(new URL("soakTroubles.ts", import.meta.url));
const CUSTOMERS = 40;
const HEALTHY = 10;
const WARM_UP = 1 / 3;
const PATIENCE_MS = 30_000;

/** What must stay level, and how far it may rise in 1,000 polls. */
interface Measure {
  what: string;
  of: (sample: Sample) => number | undefined;
  mostRise: number;
}

const MEASURES: Measure[] = [
  // A kilobyte for each poll would be one megabyte.
  {
    what: "heap after a collection, MB",
    of: ({ isCollected, heapUsedMb }) => isCollected ? heapUsedMb : undefined,
    mostRise: 1,
  },
  // Pages are taken and given back in large pieces, so that it goes up and down by tens of megabytes.
  { what: "resident memory, MB", of: ({ rssMb }) => rssMb, mostRise: 10 },
  // About thirty, as many as were in use at once in the last seconds; one left open in 200 polls would be five.
  { what: "sockets", of: ({ sockets }) => sockets, mostRise: 5 },
  { what: "file descriptors", of: ({ descriptors }) => descriptors, mostRise: 5 },
  // One or two for each request under way; one forgotten in 200 polls would be five.
  { what: "timers", of: ({ timers }) => timers, mostRise: 5 },
  { what: "abort listeners", of: ({ abortListeners }) => abortListeners, mostRise: 5 },
  // These never change.
  { what: "listeners of the process", of: ({ processListeners }) => processListeners, mostRise: 1 },
  {
    // From 8 to 25, with the requests that are under way at that moment.
    what: "what keeps the process alive",
    of: ({ resources }) => sum(Object.values(resources)),
    mostRise: 10,
  },
];
/** For 1,000 bodies, after the first third; one in a hundred that stays would be seven. */
const MOST_HOSTILE_RISE_MB = 5;
/** Once in so many polls a healthy customer may be found still in hand: a machine can be slow. */
const MISSED_OF = 50;

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    runtime: { type: "string", default: "node" },
    seed: { type: "string", default: "1" },
    hostile: { type: "string" },
    leak: { type: "boolean", default: false },
  },
});
const runtime = options.runtime === "deno" ? deno : node;
const hostileBodies = Number(options.hostile ?? 0);
const minutes = Number(options.minutes);
const faults: string[] = [];

const database = await openBenchDatabase();
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => void database.close().finally(() => process.exit(1)));
}
try {
  await soak();
} finally {
  await database.close();
}
for (const fault of faults) console.log(`FAILED: ${fault}`);
if (faults.length === 0) console.log("All stays level.");
process.exit(faults.length === 0 ? 0 : 1);

async function soak(): Promise<void> {
  const seed = Number(options.seed);
  const isHostile = hostileBodies > 0;
  console.log(
    `${runtime.name} ${runtime.version}, ${database.kind}, seed ${seed}, ` +
      (isHostile ? `${hostileBodies} hostile bodies` : `${minutes} minutes`),
  );
  await database.fill(CUSTOMERS);
  const { databaseUrl } = database;
  const troubles = startChild(
    node.command,
    TROUBLES,
    {
      customers: CUSTOMERS,
      healthy: HEALTHY,
      seed,
      databaseUrl,
      hostileOnly: isHostile,
    } satisfies TroublesInput,
  );
  const { loginUrl } = await troubles.next<{ loginUrl: string }>();
  const soaked = startSoakedConsole(runtime, {
    loginUrl,
    databaseUrl,
    // To read one megabyte after the other keeps a slow machine busy: there it is memory that is looked at, not haste.
    requestTimeoutSeconds: isHostile ? 10 : 0.5,
    lookEveryMs: isHostile ? 200 : 1000,
    // In between the console is left alone, so that its resident memory is what it would be.
    collectEvery: isHostile ? 0 : 5,
    leaks: options.leak,
  });
  const askForTroubles = () => {
    troubles.ask();
    return troubles.next<TroublesMade>();
  };
  try {
    await firstPoll(soaked);
    if (isHostile) await meetHostileBodies(soaked, askForTroubles);
    else await meetTroubles(soaked, askForTroubles);
  } finally {
    const ending = await soaked.stop();
    if (ending !== "exit code 0") faults.push(`the console ended with ${ending}`);
    await troubles.close();
  }
  judgeFaults(soaked);
  if (!isHostile) judgeHealthy(soaked);
}

async function firstPoll({ said, ending }: SoakedConsole): Promise<void> {
  const endsAt = performance.now() + PATIENCE_MS;
  while (said.polls === 0) {
    if (ending() !== undefined || performance.now() > endsAt) {
      throw new Error(`No first poll: ${said.faults.join("\n")}`);
    }
    await delay(50);
  }
}

async function meetTroubles(
  soaked: SoakedConsole,
  askForTroubles: () => Promise<TroublesMade>,
): Promise<void> {
  const samples: Sample[] = [];
  await askForTroubles();
  const startedAt = performance.now();
  let warmUpPolls = 0;
  while (performance.now() - startedAt < minutes * 60_000) {
    await delay(500);
    if (hasEndedByItself(soaked)) break;
    const sample = soaked.sample();
    const isWarm = performance.now() - startedAt >= minutes * 60_000 * WARM_UP;
    if (!isWarm) warmUpPolls = soaked.said.polls;
    else if (sample !== undefined) samples.push(sample);
  }
  const { made, exchanges } = await askForTroubles();
  const logOns = sum([...soaked.said.logOns.values()]);
  const total = sum(Object.values(made));
  console.log(
    `${soaked.said.polls} polls (${warmUpPolls} of them warm-up), ${logOns} log-ons, ` +
      `${exchanges} exchanges, ${total} troubles:\n  ${list(made)}\nWarnings: ${
        list(soaked.said.codes)
      }`,
  );
  judgeLevels(samples);
}

function judgeLevels(samples: Sample[]): void {
  const rows = [["", "start", "end", "most", "rise in 1,000 polls", "allowed"]];
  for (const { what, of, mostRise } of MEASURES) {
    const points = samples.map((sample) => ({ x: sample.polls, y: of(sample) }))
      .filter((point): point is Point => point.y !== undefined);
    if (points.length < 4) {
      const why = points.length > 0 ? "the run was too short" : "there is no /proc on this machine";
      console.log(`NOT JUDGED: ${what}, ${why}`);
      continue;
    }
    const tenth = Math.ceil(points.length / 10);
    const mean = (some: Point[]) => sum(some.map(({ y }) => y)) / some.length;
    const rise = 1000 * slopeOf(points);
    const most = Math.max(...points.map(({ y }) => y));
    const figures = [
      mean(points.slice(0, tenth)),
      mean(points.slice(-tenth)),
      most,
      rise,
      mostRise,
    ];
    rows.push([what, ...figures.map((figure) => figure.toFixed(1))]);
    // In fewer than 1,000 polls chance makes a slope: the rise in all of them counts then.
    const polls = points.at(-1)!.x - points[0]!.x;
    if (Math.min(rise, rise * polls / 1000) > mostRise) {
      faults.push(`${what}: rises by ${rise.toFixed(1)} in 1,000 polls, more than ${mostRise}`);
    }
  }
  printTable(rows);
}

async function meetHostileBodies(
  soaked: SoakedConsole,
  askForTroubles: () => Promise<TroublesMade>,
): Promise<void> {
  const head = ["bodies", "resident", "heap used", "heap total", "external", "buffers"];
  const width = 11;
  console.log(`In MB:\n${head.map((cell) => cell.padStart(width)).join("")}`);
  const points: Point[] = [];
  let told = -Infinity;
  let bodies = 0;
  while (bodies < hostileBodies) {
    ({ hostileBodies: bodies } = await askForTroubles());
    const sample = soaked.sample();
    if (sample !== undefined) {
      points.push({ x: bodies, y: sample.rssMb });
      if (bodies >= told + 100) {
        told = bodies - bodies % 100;
        const { rssMb, heapUsedMb, heapTotalMb, externalMb, arrayBuffersMb } = sample;
        const figures = [bodies, rssMb, heapUsedMb, heapTotalMb, externalMb, arrayBuffersMb];
        console.log(figures.map((figure) => figure.toFixed(0).padStart(width)).join(""));
      }
    }
    if (hasEndedByItself(soaked)) return;
    await delay(100);
  }
  const measured = points.filter(({ x }) => x >= hostileBodies * WARM_UP);
  const rise = 1000 * slopeOf(measured);
  const most = Math.max(...measured.map(({ y }) => y));
  console.log(
    `Resident memory rises by ${
      rise.toFixed(1)
    } MB in 1,000 hostile bodies after the first third, ` +
      `to ${most.toFixed(0)} MB at most.`,
  );
  if (rise > MOST_HOSTILE_RISE_MB) {
    faults.push(`resident memory rises by ${rise.toFixed(1)} MB in 1,000 hostile bodies`);
  }
}

function hasEndedByItself({ ending }: SoakedConsole): boolean {
  if (ending() !== undefined) faults.push("the console ended by itself");
  return ending() !== undefined;
}

function judgeFaults({ said }: SoakedConsole): void {
  for (const line of said.faults.slice(0, 10)) faults.push(line);
  if (said.faults.length > 10) faults.push(`and ${said.faults.length - 10} such lines more`);
}

function judgeHealthy({ said }: SoakedConsole): void {
  const missing: string[] = [];
  for (let index = CUSTOMERS - HEALTHY; index < CUSTOMERS; index++) {
    const customer = `Cust${10001 + index}`;
    const missed = said.polls - (said.logOns.get(customer) ?? 0);
    const warned = said.warnings.get(customer);
    if (missed > said.polls / MISSED_OF) faults.push(`${customer} missed ${missed} polls`);
    if (missed > 0) missing.push(`${customer} ${missed}`);
    if (warned !== undefined) {
      console.log(
        `${customer} is healthy, and was warned of ${warned.count} times: ${warned.last}`,
      );
    }
  }
  console.log(
    `Polls that healthy customers missed: ${missing.length === 0 ? "none" : missing.join(", ")}`,
  );
}

interface Point {
  x: number;
  y: number;
}

/** By least squares. */
function slopeOf(points: Point[]): number {
  const meanX = sum(points.map(({ x }) => x)) / points.length;
  const meanY = sum(points.map(({ y }) => y)) / points.length;
  const above = sum(points.map(({ x, y }) => (x - meanX) * (y - meanY)));
  return above / sum(points.map(({ x }) => (x - meanX) ** 2));
}

function sum(numbers: number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

function list(counts: Record<string, number>): string {
  return Object.entries(counts).sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`).join(", ");
}

function printTable(rows: string[][]): void {
  for (const [what = "", ...figures] of rows) {
    console.log(what.padEnd(30) + figures.map((figure) => figure.padStart(9)).join(" "));
  }
}
