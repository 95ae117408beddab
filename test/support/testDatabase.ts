// The databases that the tests run on: the embedded Postgres always, a server when TEST_DATABASE_URL names one.
import { readFile } from "node:fs/promises";
import process from "node:process";
import { randomBytes } from "node:crypto";
import postgres from "postgres";
import { endWithFile } from "./leftRunning.ts";
import { startEmbeddedPostgres } from "../../fixtures/embeddedPostgres.ts";

export interface TestDatabase {
  name: string;
  isEmbedded: boolean;
  databaseUrl: string;
  sql: postgres.Sql;
  close(): Promise<void>;
}

export const SERVER_URL = process.env["TEST_DATABASE_URL"];
const SCHEMA = new URL("../../fixtures/schema.sql", import.meta.url);

/** Each database with the schema and an empty table. */
export const testDatabases: { name: string; start: () => Promise<TestDatabase> }[] = [
  { name: "the embedded Postgres", start: () => startForFile(startEmbedded) },
  ...(SERVER_URL === undefined
    ? []
    : [{ name: "a Postgres server", start: () => startForFile(() => createOnServer(SERVER_URL)) }]),
];

/** Makes a database as it was when it was started, in a fraction of the time that a new one takes. */
export async function renew({ sql }: TestDatabase): Promise<void> {
  await sql.unsafe(`drop schema public cascade;
    create schema public;
    grant usage on schema public to public;`);
  await sql.unsafe(await readFile(SCHEMA, "utf8"));
}

async function startForFile(start: () => Promise<TestDatabase>): Promise<TestDatabase> {
  const database = await start();
  return { ...database, close: endWithFile(database.close) };
}

async function startEmbedded(): Promise<TestDatabase> {
  const { databaseUrl, close } = await startEmbeddedPostgres();
  const sql = postgres(databaseUrl, { onnotice: () => {} });
  return {
    name: "postgres",
    isEmbedded: true,
    databaseUrl,
    sql,
    async close() {
      await sql.end();
      await close();
    },
  };
}

async function createOnServer(serverUrl: string): Promise<TestDatabase> {
  const server = postgres(serverUrl, { max: 1, onnotice: () => {} });
  const name = `console_test_${randomBytes(6).toString("hex")}`;
  await server.unsafe(`create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const sql = postgres(url.href, { onnotice: () => {} });
  await sql.unsafe(await readFile(SCHEMA, "utf8"));
  return {
    name,
    isEmbedded: false,
    databaseUrl: url.href,
    sql,
    async close() {
      await sql.end();
      await server.unsafe(`drop database ${name} with (force)`);
      await server.end();
    },
  };
}
