// The Postgres job queue, which consoles that share the work need, and others do not.
import type postgres from "postgres";
import { type Database, DatabaseError, explainDatabaseError, runQuery } from "./connection.ts";
import { findTicketTableError } from "./ticketTable.ts";

/** Where its statements go. */
export interface BossDatabase {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** A job as it is fetched. */
export interface Job {
  id: string;
  retryCount: number;
  data: {
    customerIds: string[];
    /** How many a batch has that was cut with it. */
    size: number;
    /** How many of these a console takes at once at most, so that there are some for the others. */
    most: number;
  };
}

/** A job as it is found. */
interface FoundJob extends Job {
  createdOn: Date;
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
  insert(
    name: string,
    jobs: (Partial<Job> & { startAfter?: string })[],
    options: Through,
  ): Promise<unknown>;
  fetch(
    name: string,
    options: Through & { batchSize: number; ignoreStartAfter?: boolean },
  ): Promise<Job[]>;
  touch(name: string, jobs: Attempt[]): Promise<{ settled?: string[] }>;
  deleteJob(
    name: string,
    jobs: Attempt[] | string[],
    options?: Through,
  ): Promise<{ affected: number }>;
  findJobs(name: string, options: Through & { limit: number }): Promise<FoundJob[]>;
  supervise(name: string): Promise<void>;
}

interface Package {
  PgBoss: new (options: object) => Boss;
  getConstructionPlans(schema: string): string;
}

/** The version that this was tried with. */
export const PG_BOSS = "pg-boss@12.38.0";

/** Where its tables are. */
export const SCHEMA = "pgboss";
const REMEDY =
  "Have a database administrator run what this prints: npm run --silent customers -- share-sql";

const NO_RIGHT = "42501";

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
  const found: Package = await import(name).catch((cause) => {
    throw new PgBossMissingError(NEEDS, { cause });
  });
  if (typeof found.PgBoss === "function" && typeof found.getConstructionPlans === "function") {
    return found;
  }
  throw otherVersion();
}

const NEEDS = `Sharing the work needs the package ${PG_BOSS}`;

function otherVersion(): PgBossMissingError {
  return new PgBossMissingError(`${NEEDS}; the one that is installed is of another version`);
}

/**
 * The SQL that makes what it needs, for a database administrator to run where the console's user may not; safe to run twice. Throws
 * {@link PgBossMissingError}.
 */
export async function pgBossSql({ options }: Database): Promise<string> {
  const { getConstructionPlans } = await loadPgBoss();
  // One statement is a transaction of its own, and may look first whether there is something to do.
  const construction = getConstructionPlans(SCHEMA).trim()
    .replace(/^BEGIN;\s*/, "").replace(/\s*COMMIT;$/, "");
  const [, version] = construction.match(/INTO pgboss\.version\(version\) VALUES \('(\d+)'\)/) ??
    [];
  if (version === undefined) throw otherVersion();
  const user = `"${options.user.replaceAll('"', '""')}"`;
  return `-- Makes the schema ${SCHEMA} of ${PG_BOSS}, through which consoles share the work, and lets use it:
-- ${
    user.replace(/\s/g, " ")
  }, the user in DATABASE_URL where this was printed. For another console's user, put its name in place of that
-- in the last three lines. Safe to run twice.
do $share$
declare
  found int;
begin
  if to_regclass('${SCHEMA}.version') is null then
    execute $construction$
${construction}
$construction$;
    return;
  end if;
  select version into found from ${SCHEMA}.version;
  if found <> ${version} then
    raise exception 'The schema ${SCHEMA} is there in version %, and this is for version ${version}', found
    using hint = 'Stop the consoles that share the work, run: drop schema ${SCHEMA} cascade; and then this again.';
  end if;
end
$share$;
grant usage on schema ${SCHEMA} to ${user};
grant select, insert, update, delete on all tables in schema ${SCHEMA} to ${user};
grant execute on all functions in schema ${SCHEMA} to ${user};
`;
}

/** Sends its statements through our client. */
export function bossDatabase(
  client: Pick<postgres.Sql, "unsafe">,
  database: Database,
): BossDatabase {
  return {
    async executeSql(text, values) {
      const query = client.unsafe(text, values?.map(toParameter) as never[]);
      const result = await asItIs(() => runQuery(query, database));
      // A text of several statements has a result for each.
      const results = (result.every(Array.isArray) ? result : [result]) as typeof result[];
      return { rows: results.flatMap((rows) => rows.map((row) => withArrays(row, rows.columns))) };
    },
  };
}

/** The same, where a text may be a whole transaction: that needs a connection of its own, and has to be ended when it failed. */
function bossPool(database: Database): BossDatabase {
  const plain = bossDatabase(database, database);
  return {
    async executeSql(text, values) {
      if (!/\bBEGIN;/.test(text)) return await plain.executeSql(text, values);
      const connection = await database.reserve();
      try {
        return await bossDatabase(connection, database).executeSql(text, values);
      } catch (error) {
        await connection.unsafe("rollback").catch(() => {});
        throw error;
      } finally {
        connection.release();
      }
    },
  };
}

/** Our client takes nothing that is undefined, and knows no array types. */
function toParameter(value: unknown): unknown {
  if (!Array.isArray(value)) return value ?? null;
  return `{${value.map((item) => JSON.stringify(String(item))).join(",")}}`;
}

const UUID_ARRAY = 2951;

function withArrays(row: postgres.Row, columns: postgres.ColumnList<string>): postgres.Row {
  for (const { name, type } of columns ?? []) {
    if (type === UUID_ARRAY) row[name] = row[name].slice(1, -1).split(",").filter(Boolean);
  }
  return row;
}

/** Throws what the database said: pg-boss goes by that. */
async function asItIs<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof DatabaseError ? error.cause : error;
  }
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
    db: bossPool(database),
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
    throw explainShareError(error, database);
  }
}

/** What consoles share the work through, as it was found. */
export interface InspectedShare {
  /** Whether the schema is there. */
  isMade: boolean;
  /** Why it cannot be made or used. */
  fault: DatabaseError | undefined;
}

/** Looks whether pg-boss is there and may be used; changes nothing. Throws {@link PgBossMissingError} and {@link DatabaseError}. */
export async function inspectShare(database: Database): Promise<InspectedShare> {
  await loadPgBoss();
  const query = database<{ isMade: boolean; lack: string | null }[]>`
    with found as (
      select count(pg_class.oid) filter (where relname = 'version') > 0 as "isMade",
        has_schema_privilege(pg_namespace.oid, 'usage') as "isOpen",
        has_schema_privilege(pg_namespace.oid, 'create') as "isFree",
        bool_and(relkind not in ('r', 'p') or has_table_privilege(pg_class.oid, 'select')
          and has_table_privilege(pg_class.oid, 'insert') and has_table_privilege(pg_class.oid, 'update')
          and has_table_privilege(pg_class.oid, 'delete')) as "hasRights"
      from pg_namespace left join pg_class on relnamespace = pg_namespace.oid
      where nspname = ${SCHEMA}
      group by pg_namespace.oid
    )
    select coalesce("isMade", false) as "isMade", case
      when "isMade" is null then
        case when not has_database_privilege(current_database(), 'create') then 'there is none yet, and it may not make one' end
      when not "isOpen" then 'it may not use it'
      when not "isMade" then case when not "isFree" then 'it may not make tables in it' end
      when not "hasRights" then 'it may not read and write all its tables'
    end as lack
    from (select) as one left join found on true`;
  const [{ isMade, lack } = { isMade: false, lack: null }] = await runQuery(query, database);
  return { isMade, fault: lack === null ? undefined : noShare(lack, database) };
}

function noShare(why: string, database: Database, cause?: unknown): DatabaseError {
  const { user, database: name } = database.options;
  return new DatabaseError(
    `The user «${user}» may not make or use the schema «${SCHEMA}» in «${name}», through which consoles share the work: ${why}`,
    REMEDY,
    { cause },
  );
}

/** Says what is wrong, and what to do, for an error of a statement by which consoles share the work. */
export function explainShareError(error: unknown, database: Database): DatabaseError {
  const { code, message } = error as { code?: string; message: string };
  const ofTickets = findTicketTableError(error, database);
  if (ofTickets !== undefined) return ofTickets;
  // Of what is not pg-boss's, the customers alone are read.
  if (code !== NO_RIGHT || /\bcustomers\b/.test(message)) {
    return explainDatabaseError(error, database);
  }
  return noShare(message, database, error);
}
