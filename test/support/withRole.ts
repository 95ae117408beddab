import { randomBytes } from "node:crypto";
import { type Database, openDatabase } from "../../src/database/connection.ts";
import type { TestDatabase } from "./testDatabase.ts";

/** Asks the database as a role that may do what it was granted alone. */
export type AsRole = <T>(ask: (database: Database) => Promise<T>) => Promise<T>;

/**
 * Makes a role for as long as the body takes.
 *
 * @param grants gives the SQL that says what it may do
 */
export async function withRole(
  { sql, databaseUrl }: Pick<TestDatabase, "sql" | "databaseUrl">,
  grants: (role: string) => string,
  body: (asRole: AsRole, role: string) => Promise<void>,
): Promise<void> {
  const role = `console_role_${randomBytes(6).toString("hex")}`;
  // One session for all, as the embedded Postgres has.
  const limited = openDatabase(databaseUrl.replace(/(\?.*)?$/, "?max=1"));
  await sql.unsafe(`create role ${role}; ${grants(role)}`);
  try {
    await body(async (ask) => {
      await limited.unsafe(`set role ${role}`);
      try {
        return await ask(limited);
      } finally {
        await limited.unsafe("reset role");
      }
    }, role);
  } finally {
    await limited.end();
    await sql.unsafe(`drop owned by ${role}; drop role ${role};`);
  }
}
