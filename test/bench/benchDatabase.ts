// A database of the bench's own: on a Postgres server where there is one, else the embedded one.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import process from "node:process";
import postgres from "postgres";
import { startEmbeddedPostgres } from "../../fixtures/embeddedPostgres.ts";

const LOCAL_SERVER = "postgres://postgres@127.0.0.1:5432/postgres";

export interface BenchDatabase {
  /** What it runs on, for people. */
  kind: string;
  databaseUrl: string;
  /** Replaces what the table holds by the stand-in's first customers. */
  fill(customers: number): Promise<void>;
  close(): Promise<void>;
}

export async function openBenchDatabase(): Promise<BenchDatabase> {
  const { BENCH_DATABASE_URL, TEST_DATABASE_URL } = process.env;
  const serverUrl = BENCH_DATABASE_URL ?? TEST_DATABASE_URL ?? LOCAL_SERVER;
  const server = postgres(serverUrl, { max: 1, connect_timeout: 3, onnotice: () => {} });
  const version = await server`show server_version`.catch(() => undefined);
  if (version !== undefined) return await createOnServer(server, serverUrl);
  await server.end();
  const { databaseUrl, close } = await startEmbeddedPostgres();
  return useDatabase("the embedded Postgres (PGlite)", databaseUrl, close);
}

async function createOnServer(server: postgres.Sql, serverUrl: string): Promise<BenchDatabase> {
  const [{ server_version: version }] = await server<[{ server_version: string }]>`
    show server_version`;
  const name = `console_bench_${randomBytes(6).toString("hex")}`;
  await server.unsafe(`create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return await useDatabase(`Postgres ${version.split(" ")[0]}`, url.href, async () => {
    await server.unsafe(`drop database ${name} with (force)`);
    await server.end();
  });
}

async function useDatabase(
  kind: string,
  databaseUrl: string,
  drop: () => Promise<void>,
): Promise<BenchDatabase> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const schema = new URL("../../fixtures/schema.sql", import.meta.url);
  await sql.unsafe(await readFile(schema, "utf8"));
  return {
    kind,
    databaseUrl,
    async fill(customers) {
      await sql`delete from customers`;
      // The same as makeTenants.
      await sql`
        insert into customers (context_identifier, system_user_token)
        select 'Cust' || (10001 + i), 'Test App-' || lpad(i::text, 10, '0')
        from generate_series(0, ${customers - 1}::int) as i`;
      await sql`vacuum analyze customers`;
    },
    async close() {
      await sql.end();
      await drop();
    },
  };
}
