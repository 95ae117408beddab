import { cpus, release, totalmem, type } from "node:os";
import type { MemoryFigures } from "./measureMemory.ts";
import type { PollFigures } from "./measurePolls.ts";
import type { PublishedWayFigures } from "./measurePublishedWay.ts";
import type { RoundTripFigures } from "./measureRoundTrips.ts";
import type { SigningFigures } from "./measureSigning.ts";
import type { StartUpFigures } from "./measureStartUp.ts";
import { deno, node } from "./runtimes.ts";

/** What results.json holds. Times are medians in milliseconds. */
export interface Results {
  when: string;
  took: string;
  /** With --quick the numbers are too small to mean anything. */
  quick: boolean;
  machine: ReturnType<typeof describeMachine>;
  database: string;
  polls: PollFigures[];
  publishedWay: PublishedWayFigures[];
  signing: SigningFigures;
  memory: MemoryFigures[];
  roundTrips: RoundTripFigures[];
  startUp: StartUpFigures;
}

export function describeMachine() {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: node.version,
    deno: deno.version,
  };
}
