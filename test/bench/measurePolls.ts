import { fileURLToPath } from "node:url";
import { askChild } from "./childLines.ts";
import { type Poll, startConsoleChild } from "./consoleChild.ts";
import type { FloorInput, FloorTimes } from "./floorProcess.ts";
import { median } from "./median.ts";
import { beatSeconds, CONCURRENCY, type Scenario } from "./plan.ts";
import type { Runtime, RuntimeName } from "./runtimes.ts";
import { type StandInChild, startStandInChild } from "./standInChild.ts";

const FLOOR = fileURLToPath(new URL("floorProcess.ts", import.meta.url));

export type Way = "floor" | "fastFloor" | "ours";

export interface PollFigures {
  runtime: RuntimeName;
  customers: number;
  latencyMs: number;
  /** Medians, in milliseconds for one poll; each round's ratio was taken before the median of the ratios. */
  first: Partial<Record<Way | "overFloor" | "overFastFloor", number>>;
  later: Partial<Record<Way | "overFloor" | "overFastFloor", number>>;
  /** Of the process itself, for one later poll. */
  laterCpuMs: Partial<Record<Way, number>>;
}

interface Times {
  first: number;
  later: number;
  laterCpu: number;
}

/** Measures one scenario: the floors and src/main.ts against the same stand-in, turn by turn. */
export async function measurePolls(
  runtime: Runtime,
  scenario: Scenario,
  databaseUrl: string,
): Promise<PollFigures> {
  const { customers, latencyMs, rounds, floors } = scenario;
  const standIn = await startStandInChild(customers, latencyMs);
  const times: Record<Way, Times[]> = { floor: [], fastFloor: [], ours: [] };
  for (let round = 0; round < rounds; round++) {
    if (floors) {
      times.floor.push(await runFloor("fetch", runtime, scenario, standIn));
      times.fastFloor.push(await runFloor("undici", runtime, scenario, standIn));
    }
    times.ours.push(await runOurs(runtime, scenario, standIn, databaseUrl));
  }
  await standIn.close();
  return {
    runtime: runtime.name,
    customers,
    latencyMs,
    first: figuresOf(times, "first"),
    later: figuresOf(times, "later"),
    laterCpuMs: mediansOf(times, "laterCpu"),
  };
}

async function runFloor(
  client: FloorInput["client"],
  runtime: Runtime,
  { customers, laterPolls }: Scenario,
  { loginUrl }: StandInChild,
): Promise<Times> {
  const input: FloorInput = { loginUrl, client, customers, concurrency: CONCURRENCY, laterPolls };
  const { firstMs, laterMs, laterCpuMs } = await askChild<FloorTimes>(
    runtime.command,
    FLOOR,
    input,
  );
  return { first: firstMs, later: median(laterHalf(laterMs)), laterCpu: laterCpuMs };
}

async function runOurs(
  runtime: Runtime,
  { customers, latencyMs, laterPolls }: Scenario,
  standIn: StandInChild,
  databaseUrl: string,
): Promise<Times> {
  const before = await standIn.counts();
  const child = startConsoleChild(runtime, {
    loginUrl: standIn.loginUrl,
    databaseUrl,
    pollSeconds: beatSeconds(customers, latencyMs),
  });
  const [first, ...later] = await child.polls(1 + laterPolls);
  await child.stop();
  const { exchange, state } = await standIn.counts();
  if (exchange - before.exchange !== customers || state - before.state !== customers) {
    throw new Error("The later polls were not calls alone");
  }
  const measured = laterHalf(later);
  // Some customers may still be in hand from the first poll: the time is that for all.
  const forAll = ({ ms, loggedOn }: Poll) => ms / loggedOn * customers;
  return {
    first: first!.ms,
    later: median(measured.map(forAll)),
    laterCpu: median(measured.map(({ cpuMs }) => cpuMs)),
  };
}

function laterHalf<T>(all: T[]): T[] {
  return all.slice(all.length >> 1);
}

function mediansOf(times: Record<Way, Times[]>, key: keyof Times): Partial<Record<Way, number>> {
  const ways = Object.entries(times).filter(([, all]) => all.length > 0);
  return Object.fromEntries(ways.map(([way, all]) => [way, median(all.map((one) => one[key]))]));
}

function figuresOf(times: Record<Way, Times[]>, key: "first" | "later"): PollFigures["later"] {
  const over = (way: "floor" | "fastFloor") =>
    median(times[way].map((floor, round) => times.ours[round]![key] / floor[key]));
  const ratios = times.floor.length === 0
    ? {}
    : { overFloor: over("floor"), overFastFloor: over("fastFloor") };
  return { ...mediansOf(times, key), ...ratios };
}
