// A stand-in with as many tenants as asked for, the rows for them, and the settings that lead there.
import { readFile } from "node:fs/promises";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type postgres from "postgres";
import {
  type StandIn,
  type StandInOptions,
  startStandIn,
  type Tenant,
} from "../../fixtures/standIn.ts";

export const CLIENT_SECRET = "client-secret-c0ffee";
const KEY_FILE = new URL("../../fixtures/keys/app-key.pkcs8.pem", import.meta.url);
/** A copy that nobody else may read, as it should be. */
const PRIVATE_KEY_FILE = join(mkdtempSync(join(tmpdir(), "sample-key-")), "private-key.pem");
writeFileSync(PRIVATE_KEY_FILE, readFileSync(KEY_FILE), { mode: 0o600 });

export function makeTenants(count: number): Tenant[] {
  return Array.from({ length: count }, (_, index) => ({
    contextIdentifier: `Cust${10001 + index}`,
    systemUserToken: `Test App-${String(index).padStart(10, "0")}`,
    associate: `Associate ${10001 + index}`,
    host: index % 2 === 0 ? 0 : 1,
  }));
}

export async function startSampleStandIn(
  tenants: Tenant[],
  options: Partial<StandInOptions> = {},
): Promise<StandIn> {
  return await startStandIn({
    applicationPublicKey: await readFile(
      new URL("../../fixtures/keys/app-key.pub.pem", import.meta.url),
      "utf8",
    ),
    clientSecret: CLIENT_SECRET,
    tenants,
    ...options,
  });
}

/** Replaces what the table holds. */
export async function fillTable(sql: postgres.Sql, tenants: Tenant[]): Promise<void> {
  await sql`delete from customers`;
  const rows = tenants.map(({ contextIdentifier, systemUserToken }) => ({
    context_identifier: contextIdentifier,
    system_user_token: systemUserToken,
  }));
  await sql`insert into customers ${sql(rows)}`;
}

export function settingsFor(
  { loginUrl }: Pick<StandIn, "loginUrl">,
  databaseUrl: string,
): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    SUPEROFFICE_LOGIN_URL: loginUrl,
    SUPEROFFICE_CLIENT_SECRET: CLIENT_SECRET,
    SUPEROFFICE_PRIVATE_KEY_FILE: PRIVATE_KEY_FILE,
  };
}
