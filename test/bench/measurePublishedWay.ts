import { fileURLToPath } from "node:url";
import { askChild } from "./childLines.ts";
import type { PublishedWayInput, PublishedWayTimes } from "./publishedWayProcess.ts";
import { node } from "./runtimes.ts";
import { startStandInChild } from "./standInChild.ts";

const FILE = fileURLToPath(new URL("publishedWayProcess.ts", import.meta.url));

export interface PublishedWayFigures {
  latencyMs: number;
  /** How many customers it was measured with; it takes as long for each, however many there are. */
  sample: number;
  /** Milliseconds for each customer: an exchange and a call. */
  msEach: number;
  /** The same with the state read first. */
  msEachWithState: number;
}

export async function measurePublishedWay(
  customers: number,
  latencyMs: number,
): Promise<PublishedWayFigures> {
  const { loginUrl, close } = await startStandInChild(customers, latencyMs);
  const run = async (readsState: boolean) => {
    const input: PublishedWayInput = { loginUrl, customers, readsState };
    return (await askChild<PublishedWayTimes>(node.command, FILE, input)).msEach;
  };
  const figures = {
    latencyMs,
    sample: customers,
    msEach: await run(false),
    msEachWithState: await run(true),
  };
  await close();
  return figures;
}
