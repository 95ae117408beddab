// The division of customers on pg-boss, the Postgres job queue.
import type postgres from "postgres";
import { type Database, DatabaseError } from "./connection.ts";
import type {
  Batch,
  Beat,
  BeatWindow,
  Carried,
  CutCounts,
  CutCustomer,
  Decide,
  Division,
  Rhythm,
} from "./division.ts";
import { batchSizeFor, CLAIM_MS } from "./division.ts";
import { isLeftAlone } from "./refusals.ts";
import {
  type Boss,
  type BossDatabase,
  bossDatabase,
  explainShareError,
  type Job,
  SCHEMA,
  startBoss,
} from "./pgBoss.ts";

/** A job of these is a beat that was cut, a batch, and what was left of one. */
const BEATS = "superoffice-beats";
const BATCHES = "superoffice-batches";
const RESTS = "superoffice-rests";

const ALL = 100_000;
const LOCK_MS = 5000;

/** What the database says where schema, table or function are not there. */
const GONE = ["3F000", "42P01", "42883"];
/** Longer than one may wait for a lock. */
const TRANSACTION_MS = 8000;

/** So long before a beat's end the last of its customers are called, so that all can be done. */
const SPARE_MS = 1000;

/** What a beat's job holds. */
interface BeatData extends Rhythm {
  number: number;
  carried?: Carried;
}

const NOTHING: Carried = { called: [], missed: [] };

/** A job ends when its console says so or dies: not by its age. */
const OPTIONS = {
  heartbeatSeconds: CLAIM_MS / 1000,
  expireInSeconds: 23 * 3600,
  retryLimit: 1000,
  retentionSeconds: 3600,
};

/**
 * Divides by jobs of pg-boss: for each beat one console cuts the customers into jobs, and each takes one after the other. A claim
 * is a job that is active. It connects when it is first used.
 *
 * @param tellTrouble is told of what goes wrong where nobody waits
 */
export function createBossDivision(
  database: Database,
  { beatSeconds, tenantSeconds }: Rhythm,
  tellTrouble: (error: Error) => void,
  decide: Decide = all,
): Division {
  let starting: Promise<Boss> | undefined;
  /** How many customers one has, as far as is known. */
  let batchSize = 250;
  let mostAtOnce = 1;
  /** When it asked first, by the database's clock. */
  let startedMs = Infinity;

  async function start(): Promise<Boss> {
    const boss = await startBoss(database, tellTrouble);
    try {
      for (const name of [BEATS, BATCHES, RESTS]) await boss.createQueue(name, OPTIONS);
      return boss;
    } catch (error) {
      await boss.stop({ graceful: false }).catch(() => {});
      throw error;
    }
  }

  /** Its schema is not there any more: the next start makes it. */
  async function startAnew(): Promise<void> {
    const boss = await starting?.catch(() => undefined);
    starting = undefined;
    await boss?.stop({ graceful: false }).catch(() => {});
  }

  async function asked<T>(ask: (boss: Boss) => Promise<T>): Promise<T> {
    try {
      starting ??= start();
      starting.catch(() => void (starting = undefined));
      return await ask(await starting);
    } catch (error) {
      if (GONE.includes((error as { code?: string }).code ?? "")) await startAnew();
      const isExplained = error instanceof DatabaseError ||
        (error as Error).name === "PgBossMissingError";
      throw isExplained ? error : explainShareError(error, database);
    }
  }

  /** In one transaction, which nobody has to wait for without end. */
  function together<T>(
    ask: (boss: Boss, db: BossDatabase, transaction: postgres.TransactionSql) => Promise<T>,
  ): Promise<T> {
    return asked((boss) =>
      inTime(
        database.begin(async (transaction) => {
          await transaction.unsafe(
            `set local lock_timeout = ${LOCK_MS}; set local idle_in_transaction_session_timeout = ${LOCK_MS}`,
          );
          return await ask(boss, bossDatabase(transaction, database), transaction);
        }) as Promise<T>,
      )
    );
  }

  /** Gives up a transaction that the server does not begin or end. */
  async function inTime<T>(transaction: Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        database.renew(1);
        const seconds = TRANSACTION_MS / 1000;
        reject(Object.assign(new Error(`no answer in ${seconds} s`), { code: "QUERY_TIMEOUT" }));
      }, TRANSACTION_MS);
    });
    try {
      return await Promise.race([transaction, tooLong]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function cutIfFirst(
    boss: Boss,
    db: BossDatabase,
    transaction: postgres.TransactionSql,
    owedIds: string[],
  ): Promise<Beat> {
    const [{ seconds }] = await transaction<[{ seconds: number }]>`
      select extract(epoch from now())::float8 as seconds`;
    startedMs = Math.min(startedMs, seconds * 1000);
    const number = Math.floor(seconds / beatSeconds);
    const data: BeatData = { beatSeconds, tenantSeconds, number };
    // Of those who send one for the same beat, one wins, and the others wait until it has cut.
    const beatId = await boss.send(BEATS, data, { singletonSeconds: beatSeconds, db });
    const leftMs = ((number + 1) * beatSeconds - seconds) * 1000;
    const beats = (await boss.findJobs(BEATS, { limit: ALL, db }))
      .map(({ id, createdOn, data }) => ({ id, createdOn, ...data as unknown as BeatData }));
    const otherRhythms = beats.filter((other) =>
      // What is older was left by consoles that may have ended, or been given other settings.
      other.createdOn.getTime() > startedMs &&
      (other.beatSeconds !== beatSeconds || other.tenantSeconds !== tenantSeconds)
    );
    let counts: CutCounts | undefined;
    if (beatId !== null) {
      const earlier = beats.map(({ id }) => id).filter((id) => id !== beatId);
      if (earlier.length > 0) await boss.deleteJob(BEATS, earlier, { db });
      const last = beats.filter((beat) => beat.beatSeconds === beatSeconds && beat.number < number)
        .sort((one, other) => one.number - other.number).at(-1);
      // Of beats that nobody cut, such as while the database was away, nobody is left out.
      const from = last === undefined ? number : last.number + 1;
      const beat = { fromMs: from * beatSeconds * 1000, startMs: number * beatSeconds * 1000 };
      const cutFrom = last?.carried ?? NOTHING;
      const { carried, ...others } = await cut(boss, db, transaction, beat, cutFrom, owedIds);
      counts = others;
      if (carried.called.length + carried.missed.length > 0) {
        await transaction`
          update ${transaction(SCHEMA)}.job
          set data = ${transaction.json({ ...data, carried } as never)}
          where name = ${BEATS} and id = ${beatId}`;
      }
    }
    return { number, leftMs, otherRhythms, counts };
  }

  async function cut(
    boss: Boss,
    db: BossDatabase,
    transaction: postgres.TransactionSql,
    beat: BeatWindow,
    carriedBefore: Carried,
    owedIds: string[],
  ): Promise<CutCounts & { carried: Carried }> {
    const inHand = new Set<string>();
    const leftOver = new Set<string>();
    for (const name of [BATCHES, RESTS]) {
      // What the last beat left would hold this one up. Taken before it is removed, so that nobody else takes it meanwhile.
      // Also what is not due yet by a clock that was set back.
      const left = await boss.fetch(name, { batchSize: ALL, ignoreStartAfter: true, db });
      await remove(boss, name, left, db);
      for (const { data } of left) data.customerIds.forEach((id) => leftOver.add(id));
      const taken = await boss.findJobs(name, { limit: ALL, db });
      for (const { data } of taken) data.customerIds.forEach((id) => inHand.add(id));
    }
    const owed = new Set(owedIds);
    const rows = await transaction<Omit<CutCustomer, "isLeftOver" | "isInHand">[]>`
      select id, hashtext(concat_ws(' ', context_identifier, system_user_token)) as row,
        last_error is not null as "hasError", (extract(epoch from last_sync) * 1000)::float8 as "lastSyncMs",
        ${isLeftAlone(transaction as never)} as "isWaiting"
      from customers
      where is_active
      order by id`;
    const customers = rows.map((row) => ({
      ...row,
      isLeftOver: leftOver.has(row.id) || owed.has(row.id),
      isInHand: inHand.has(row.id),
    }));
    const { due, carried } = decide(customers, beat, carriedBefore);
    const size = batchSizeFor(due.length);
    const most = Math.ceil(due.length / size / 16);
    const beatMs = beatSeconds * 1000;
    const latestMs = beat.startMs + beatMs - Math.min(SPARE_MS, beatMs / 4);
    const jobs = [];
    for (let from = 0; from < due.length; from += size) {
      const some = due.slice(from, from + size);
      const customerIds = some.map(({ id }) => id);
      jobs.push({
        data: { customerIds, size, most },
        startAfter: new Date(Math.min(some[0]!.atMs, latestMs)).toISOString(),
      });
    }
    if (jobs.length > 0) await boss.insert(BATCHES, jobs, { db });
    const active = customers.length;
    const inHandNow = customers.filter(({ isInHand }) => isInHand).length;
    const waiting = customers.filter(({ isInHand, isWaiting }) => isWaiting && !isInHand).length;
    return {
      carried,
      due: due.length,
      notDue: active - due.length - inHandNow - waiting,
      waiting,
      inHand: inHandNow,
      leftOver: due.filter(({ id }) => leftOver.has(id)).length,
    };
  }

  /** What is given back goes by what was cut, however few they are. */
  function ofUsualSize(customerIds: string[]): Job["data"] {
    return { customerIds, size: batchSize, most: mostAtOnce };
  }

  return {
    async cut(owedIds = []) {
      // Before, since what nobody renews belongs to somebody else in this beat.
      await this.recover();
      return await together((boss, db, transaction) => cutIfFirst(boss, db, transaction, owedIds));
    },
    take: (customers) =>
      asked(async (boss) => {
        const count = Math.max(1, Math.min(mostAtOnce, Math.floor(customers / batchSize)));
        const jobs = await boss.fetch(BATCHES, { batchSize: count });
        batchSize = jobs[0]?.data.size ?? batchSize;
        mostAtOnce = jobs[0]?.data.most ?? mostAtOnce;
        return jobs.map((job) => toBatch(job, false));
      }),
    renew: (batches) =>
      asked(async (boss) => {
        const held = new Set<string>();
        for (const [name, jobs] of byQueue(batches)) {
          const { settled = [] } = await boss.touch(name, jobs);
          for (const id of settled) held.add(id);
        }
        return batches.filter(({ claim }) => !held.has(claim.id));
      }),
    recover: () =>
      asked(async (boss) => {
        for (const name of [BATCHES, RESTS]) await boss.supervise(name);
      }),
    isUnfinished: () =>
      asked(async (boss) => (await boss.findJobs(BATCHES, { limit: 1 })).length > 0),
    finish: (batches) =>
      asked(async (boss) => {
        for (const [name, jobs] of byQueue(batches)) await boss.deleteJob(name, jobs);
      }),
    divide: (batch, keptIds, returnedIds) =>
      together(async (boss, db) => {
        const { affected } = await boss.deleteJob(queueOf(batch), [batch.claim], { db });
        if (affected === 0) return undefined;
        if (returnedIds.length > 0) {
          await boss.insert(BATCHES, [{ data: ofUsualSize(returnedIds) }], { db });
        }
        if (keptIds.length === 0) return undefined;
        const id = crypto.randomUUID();
        await boss.insert(RESTS, [{ id, data: { customerIds: keptIds, size: 1, most: 1 } }], {
          db,
        });
        // Nobody else sees it before it is taken. What comes along was left by a console that died: whoever is free takes it.
        const jobs = await boss.fetch(RESTS, { batchSize: ALL, db });
        const others = jobs.filter((job) => job.id !== id);
        await remove(boss, RESTS, others, db);
        if (others.length > 0) {
          await boss.insert(
            BATCHES,
            others.map(({ data: { customerIds } }) => ({ data: ofUsualSize(customerIds) })),
            { db },
          );
        }
        const job = jobs.find((job) => job.id === id);
        return job && toBatch(job, true);
      }),
    async close() {
      const boss = await starting?.catch(() => undefined);
      await boss?.stop({ graceful: false });
    },
  };
}

function all(customers: CutCustomer[], { startMs }: BeatWindow, carried: Carried) {
  const due = customers.filter(({ isInHand, isWaiting }) => !isInHand && !isWaiting)
    .map(({ id }) => ({ id, atMs: startMs }));
  return { due, carried };
}

async function remove(boss: Boss, name: string, jobs: Job[], db: BossDatabase): Promise<void> {
  if (jobs.length > 0) await boss.deleteJob(name, jobs, { db });
}

function toBatch({ id, retryCount, data: { customerIds } }: Job, isRest: boolean): Batch {
  return { claim: { id, retryCount }, isRest, customerIds };
}

function queueOf({ isRest }: Batch): string {
  return isRest ? RESTS : BATCHES;
}

function byQueue(batches: Batch[]): [string, Batch["claim"][]][] {
  return [false, true].map((isRest): [string, Batch["claim"][]] => {
    const some = batches.filter((batch) => batch.isRest === isRest);
    return [isRest ? RESTS : BATCHES, some.map(({ claim }) => claim)];
  }).filter(([, claims]) => claims.length > 0);
}
