import { setTimeout as delay } from "node:timers/promises";
import { startConsoleChild } from "./consoleChild.ts";
import { startCountingProxy } from "./countingProxy.ts";
import { beatSeconds } from "./plan.ts";
import { node } from "./runtimes.ts";
import { startStandInChild } from "./standInChild.ts";

/** A poll's last results are written five seconds after it at the latest. */
const UNTIL_WRITTEN_MS = 5500;
/** How much longer a first poll may take than a later one: it signs, and makes three requests for each customer. */
const FIRST_OVER_LATER = 5;

export interface RoundTripFigures {
  customers: number;
  latencyMs: number;
  /** To the database, in the first poll; with what connecting takes. */
  first: number;
  later: number;
}

export async function measureRoundTrips(
  customers: number,
  latencyMs: number,
  databaseUrl: string,
): Promise<RoundTripFigures> {
  const standIn = await startStandInChild(customers, latencyMs);
  const proxy = await startCountingProxy(databaseUrl);
  const child = startConsoleChild(node, {
    loginUrl: standIn.loginUrl,
    databaseUrl: proxy.databaseUrl,
    // The first poll fits into it, too: polls that overlap could not be told apart.
    pollSeconds: FIRST_OVER_LATER * beatSeconds(customers, latencyMs) + UNTIL_WRITTEN_MS / 1000,
  });
  await child.polls(1);
  await delay(UNTIL_WRITTEN_MS);
  const first = proxy.roundTrips();
  await child.polls(2);
  await delay(UNTIL_WRITTEN_MS);
  const later = proxy.roundTrips() - first;
  await child.stop();
  await proxy.close();
  await standIn.close();
  return { customers, latencyMs, first, later };
}
