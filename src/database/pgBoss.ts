// The Postgres job queue, which consoles that share the work need, and others do not.
import type postgres from "postgres";
import { type Database, DatabaseError, explainDatabaseError, runQuery } from "./connection.ts";

/** Where its statements go. */
export interface BossDatabase {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** A job as it is fetched. */
export interface Job {
  id: string;
  retryCount: number;
  data: { customerIds: string[] };
}

interface Through {
  db?: BossDatabase;
}

type Attempt = Pick<Job, "id" | "retryCount">;

/** What is used of it. */
export interface Boss {
  on(event: "error" | "warning", listener: (trouble: Error) => void): void;
  start(): Promise<unknown>;
  stop(options: { graceful: boolean }): Promise<void>;
  createQueue(name: string, options: object): Promise<void>;
  send(
    name: string,
    data: object,
    options: Through & { singletonSeconds: number },
  ): Promise<string | null>;
  insert(name: string, jobs: Partial<Job>[], options: Through): Promise<unknown>;
  fetch(name: string, options: Through & { batchSize: number }): Promise<Job[]>;
  touch(name: string, jobs: Attempt[]): Promise<{ settled?: string[] }>;
  deleteJob(name: string, jobs: Attempt[], options?: Through): Promise<{ affected: number }>;
  findJobs(name: string, options: Through & { limit: number }): Promise<Job[]>;
  supervise(name: string): Promise<void>;
}

interface Package {
  PgBoss: new (options: object) => Boss;
  getConstructionPlans(schema: string): string;
}

/** The version that this was tried with. */
export const PG_BOSS = "pg-boss@12.38.0";

const SCHEMA = "pgboss";

/** The package is not there, or is another one than expected. */
export class PgBossMissingError extends Error {
  static readonly code = "PG_BOSS_MISSING";
  static readonly remedy =
    `Install it: npm install --no-save ${PG_BOSS} (it wants Node 22.12 or newer; Deno gets it by itself).`;
  readonly code = PgBossMissingError.code;
  readonly remedy: string = PgBossMissingError.remedy;
}

/** Loads the package. Throws {@link PgBossMissingError}. */
export async function loadPgBoss(): Promise<Package> {
  // By a name that is not looked for before: who does not share the work has no such package.
  const name = "pg-boss";
  try {
    return await import(name);
  } catch (cause) {
    throw new PgBossMissingError(`Sharing the work needs the package ${PG_BOSS}`, { cause });
  }
}

/** The SQL that makes what it needs, for a database administrator. Throws {@link PgBossMissingError}. */
export async function pgBossSql(): Promise<string> {
  return (await loadPgBoss()).getConstructionPlans(SCHEMA);
}

/** Sends its statements through our client, in a transaction where that is one. */
export function bossDatabase(client: Pick<postgres.Sql, "unsafe">, database: Database): BossDatabase {
  return {
    async executeSql(text, values) {
      try {
        const parameters = values?.map((value) => value ?? null) as postgres.ParameterOrJSON<
          never
        >[];
        const result = await runQuery(client.unsafe(text, parameters), database);
        return { rows: [...result] };
      } catch (error) {
        // It goes by the database's own codes.
        throw error instanceof DatabaseError ? error.cause : error;
      }
    },
  };
}

/**
 * Starts it, and makes its schema where there is none.
 *
 * Throws {@link PgBossMissingError} and {@link DatabaseError}.
 *
 * @param tellTrouble is told of what goes wrong where nobody waits
 */
export async function startBoss(
  database: Database,
  tellTrouble: (error: Error) => void,
): Promise<Boss> {
  const { PgBoss } = await loadPgBoss();
  const boss = new PgBoss({
    db: bossDatabase(database, database),
    schema: SCHEMA,
    // What it would do by timers of its own is done where it is needed, or is not needed.
    supervise: false,
    schedule: false,
    registerInstance: false,
    monitorVacuum: false,
    reindex: false,
    openTelemetry: { enabled: false },
    monitorIntervalSeconds: 1,
    bamIntervalSeconds: 3600,
    flowIntervalSeconds: 3600,
    queueCacheIntervalSeconds: 3600,
  });
  boss.on("error", tellTrouble);
  boss.on("warning", tellTrouble);
  try {
    await boss.start();
    return boss;
  } catch (error) {
    await boss.stop({ graceful: false }).catch(() => {});
    throw explainStart(error, database);
  }
}

function explainStart(error: unknown, database: Database): DatabaseError {
  const { code } = error as { code?: string };
  if (code !== "42501") return explainDatabaseError(error, database);
  const { user, database: name } = database.options;
  return new DatabaseError(
    `The user «${user}» may not make or use the schema «${SCHEMA}» in «${name}», through which consoles share the work`,
    "Have a database administrator run what npm run customers -- share-sql prints.",
    { cause: error },
  );
}
