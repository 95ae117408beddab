// How long it takes to divide a beat, and what that asks of Postgres: by pg-boss, and by plain leases.
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { createShare } from "../../src/console/share/share.ts";
import { createBossDivision } from "../../src/database/bossDivision.ts";
import { openDatabase } from "../../src/database/connection.ts";
import { loadCustomers } from "../../src/database/loadCustomers.ts";
import { createTurns } from "../../src/console/turns/turns.ts";
import { createLeases } from "./leases.ts";

export interface DividedBeat {
  /** From the first customer taken to the last one done. */
  ms: number;
  /** What each console did of it. */
  shares: number[];
  transactions: number;
}

const BEAT_SECONDS = 20;

export async function measureDivision(
  databaseUrl: string,
  kind: "pg-boss" | "leases",
  consoles: number,
  visitMs: number,
  concurrency: number,
): Promise<DividedBeat[]> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const count = async () => {
    await delay(1100);
    const [{ n }] = await sql<[{ n: string }]>`
      select xact_commit::bigint as n from pg_stat_database where datname = current_database()`;
    return Number(n);
  };
  const stop = new AbortController();
  const explain = (error: unknown) => ({ problem: String(error), remedy: "", code: "" });
  const log = { debug: console.log, warn: console.log } as never;
  const own = Array.from({ length: consoles }, () => {
    const database = openDatabase(databaseUrl);
    const client = kind === "leases"
      ? postgres(databaseUrl, { max: 10, onnotice: () => {} })
      : undefined;
    const division = client ? createLeases(client, BEAT_SECONDS) : createBossDivision(
      database,
      { beatSeconds: BEAT_SECONDS, tenantSeconds: BEAT_SECONDS },
      console.log,
    );
    const load = (ids: string[]) => loadCustomers(database, () => performance.now(), { ids });
    const share = createShare(
      division,
      load,
      { pollMs: BEAT_SECONDS * 1000, tenantMs: BEAT_SECONDS * 1000 },
      () => performance.now(),
      stop.signal,
      {
        explain,
        log,
      },
    );
    const memory = share.noting({ take: () => "taken", giveBack() {} } as never);
    return { database, client, share, memory, turns: createTurns(concurrency) };
  });
  const beats: DividedBeat[] = [];
  for (let beat = 0; beat < 3; beat++) {
    const before = await count();
    let first = Infinity;
    let last = 0;
    const shares = await Promise.all(own.map(async ({ share, memory, turns }) => {
      let done = 0;
      const visits = new Set<Promise<void>>();
      await share.nextBeat();
      for await (const page of share.customers()) {
        for (const customer of page) {
          if (memory.take(customer) !== "taken") continue;
          const turn = await turns.take(customer.contextIdentifier, false);
          first = Math.min(first, performance.now());
          const visit = delay(visitMs).then(() => {
            turn.end();
            done++;
            last = performance.now();
            memory.giveBack(customer, true);
            visits.delete(visit);
          });
          visits.add(visit);
        }
      }
      await Promise.all(visits);
      return done;
    }));
    beats.push({ ms: Math.round(last - first), shares, transactions: (await count()) - before });
  }
  stop.abort();
  for (const { share, database, client } of own) {
    await share.leave();
    await database.end({ timeout: 1 });
    await client?.end();
  }
  await sql.end();
  return beats;
}
