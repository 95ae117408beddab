// The stand-in for a test, which ends with its file.
import type { StandIn } from "../../fixtures/standIn.ts";
import { endWithFile } from "./leftRunning.ts";
import { startSampleStandIn } from "./sampleTenants.ts";

export async function startTestStandIn(
  ...options: Parameters<typeof startSampleStandIn>
): Promise<StandIn> {
  const standIn = await startSampleStandIn(...options);
  return { ...standIn, close: endWithFile(standIn.close) };
}
