import type { BenchDatabase } from "./benchDatabase.ts";
import { startConsoleChild } from "./consoleChild.ts";
import { beatSeconds } from "./plan.ts";
import type { Runtime, RuntimeName } from "./runtimes.ts";
import { startStandInChild } from "./standInChild.ts";

export interface MemoryFigures {
  runtime: RuntimeName;
  customers: number;
  /** The peak of the resident memory of src/main.ts during a first poll and a later one. */
  peakMb: number;
}

export async function measureMemory(
  runtime: Runtime,
  customers: number,
  database: BenchDatabase,
): Promise<MemoryFigures> {
  const { loginUrl, close } = await startStandInChild(customers, 0);
  await database.fill(customers);
  const child = startConsoleChild(runtime, {
    loginUrl,
    databaseUrl: database.databaseUrl,
    pollSeconds: beatSeconds(customers, 0),
  });
  await child.polls(2);
  const peakMb = child.peakMb();
  await child.stop();
  await close();
  return { runtime: runtime.name, customers, peakMb };
}
