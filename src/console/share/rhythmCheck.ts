import type { Logger } from "@logtape/logtape";
import type { Rhythm } from "../../database/division.ts";
import type { Intervals } from "../scheduled.ts";

/** Makes what says once of each other rhythm that consoles have with which the work is shared, and what comes of it. */
export function createRhythmCheck(
  { pollMs, tenantMs }: Intervals,
  log: Logger,
): (others: Rhythm[]) => void {
  const told = new Set<string>();

  function tellOnce(name: string, seconds: number, message: string): void {
    if (told.has(`${name} ${seconds}`)) return;
    told.add(`${name} ${seconds}`);
    log.warn(message, { seconds });
  }

  return (others) => {
    for (const { beatSeconds, tenantSeconds } of others) {
      if (beatSeconds * 1000 !== pollMs) {
        tellOnce(
          "POLL_SECONDS",
          beatSeconds,
          "Another console shares the work with POLL_SECONDS={seconds}, so that customers are called too often: set the same for all.",
        );
      } else if (tenantSeconds !== undefined && tenantSeconds * 1000 !== tenantMs) {
        tellOnce(
          "TENANT_SECONDS",
          tenantSeconds,
          "Another console shares the work with TENANT_SECONDS={seconds}, so that now the one holds, now the other: set the same for all.",
        );
      }
    }
  };
}
