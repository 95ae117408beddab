import { fileURLToPath } from "node:url";
import type { StandIn } from "../../fixtures/standIn.ts";
import { startChild } from "./childLines.ts";
import { node } from "./runtimes.ts";

const FILE = fileURLToPath(new URL("standInProcess.ts", import.meta.url));

export interface StandInChild {
  loginUrl: string;
  counts(): Promise<StandIn["counts"]>;
  close(): Promise<void>;
}

/** Starts the stand-in in a process of its own, always on Node, so that it is the same for both runtimes. */
export async function startStandInChild(
  customers: number,
  latencyMs: number,
): Promise<StandInChild> {
  const child = startChild(node.command, FILE, { customers, latencyMs });
  const { loginUrl } = await child.next<{ loginUrl: string }>();
  return {
    loginUrl,
    counts() {
      child.ask();
      return child.next();
    },
    close: child.close,
  };
}
