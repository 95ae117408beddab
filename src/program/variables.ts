import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseEnv } from "node:util";
import { SettingsError } from "./errors.ts";

/** Variables by name, as the environment holds them. */
export type Variables = Record<string, string | undefined>;

/**
 * The variables of the process, with those of a file `.env` in the working directory where it exists.
 * The process's own come first; an empty one counts as not set.
 */
export async function readVariables(): Promise<Variables> {
  const file = await readFile(".env", "utf8").catch((error) => {
    if (error.code === "ENOENT") return "";
    throw new SettingsError([`.env cannot be read: ${error.message}`]);
  });
  const all = withoutEmpty({ ...parseEnv(file), ...withoutEmpty(process.env) });
  // OpenTelemetry's exporters read the environment themselves.
  for (const [name, value] of Object.entries(all)) {
    if (name.startsWith("OTEL_")) process.env[name] ??= value;
  }
  return all;
}

/** Whether nothing says what to run against: no DATABASE_URL and no SUPEROFFICE_ variable. */
export function namesNoTarget(variables: Variables): boolean {
  return !Object.keys(variables).some((name) =>
    name === "DATABASE_URL" || name.startsWith("SUPEROFFICE_")
  );
}

/** The secrets among the variables, right or wrong, as they are and as they stand in an address. */
export function secretsOf(variables: Variables): string[] {
  const { SUPEROFFICE_CLIENT_SECRET: clientSecret = "", DATABASE_URL: databaseUrl = "" } =
    variables;
  const password = databaseUrl.match(/^[^:]+:\/\/[^:@/]*:(.+)@/s)?.[1];
  if (password === undefined) return [clientSecret];
  try {
    return [clientSecret, password, decodeURIComponent(password)];
  } catch {
    return [clientSecret, password];
  }
}

function withoutEmpty(variables: Variables): Variables {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, value?.trim()]).filter(([, value]) =>
      value
    ),
  );
}
