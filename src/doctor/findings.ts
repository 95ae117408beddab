import { problemOf, SettingsError } from "../errors.ts";

/** What one check of the doctor found. */
export interface Finding {
  check: string;
  verdict: "passed" | "failed" | "skipped";
  text: string;
  /** What stands below it, a line each. */
  details: string[];
}

/** A check's finding and, where it passed, what later checks need from it, or why it failed. */
export interface Checked<T> {
  finding: Finding;
  value?: T;
  error?: unknown;
}

/** What a check that passed says. */
export interface Passed<T> {
  value: T;
  text: string;
  details?: string[];
}

type Present<N> = { [K in keyof N]-?: Exclude<N[K], undefined> };

/**
 * Makes a check, when all is there that it needs; else it is skipped, and says what it lacks.
 *
 * @param needs by the name of the check or variable that it comes from; undefined when that failed
 * @param work throws the error that explains why the check failed
 */
export async function makeCheck<N extends Record<string, unknown>, T>(
  check: string,
  needs: N,
  work: (needs: Present<N>) => Passed<T> | Promise<Passed<T>>,
): Promise<Checked<T>> {
  const lacking = Object.keys(needs).filter((name) => needs[name] === undefined);
  if (lacking.length > 0) return { finding: skipped(check, lacking) };
  try {
    const { value, text, details = [] } = await work(needs as Present<N>);
    return { finding: { check, verdict: "passed", text, details }, value };
  } catch (error) {
    return { finding: failed(check, error), error };
  }
}

/** The finding for a check that could not be made without what is named. */
export function skipped(check: string, lacking: string[]): Finding {
  const text = `not checked, since it needs: ${lacking.join(", ")}`;
  return { check, verdict: "skipped", text, details: [] };
}

/** The finding for an error: what was found, with its code, the likely causes and the next step. */
export function failed(check: string, error: unknown): Finding {
  const { problem, remedy, code } = problemOf(error);
  const isSettings = error instanceof SettingsError;
  const likely = likelyCausesOf(error, code);
  return {
    check,
    verdict: "failed",
    text: `${isSettings ? "The settings are not right" : problem} [${code}]`,
    details: [
      ...(isSettings ? error.faults : []),
      ...(likely === undefined ? [] : [`Likely: ${likely}.`]),
      `Next step: ${remedy}`,
    ],
  };
}

const MARKS = { passed: "✓", failed: "✗", skipped: "–" };

/** A finding as it is printed: a line, and its details indented below. */
export function formatFinding({ check, verdict, text, details }: Finding): string {
  const lines = [`${MARKS[verdict]} ${check}: ${text}`, ...details].join("\n").split("\n");
  return lines.map((line, index) => index === 0 ? `${line}\n` : `    ${line}\n`).join("");
}

const NO_WAY_THERE =
  "no network, a proxy or firewall in between, or a slip in SUPEROFFICE_LOGIN_URL";

const LIKELY_CAUSES: Record<string, string> = {
  NETWORK_FAILED: NO_WAY_THERE,
  REQUEST_TIMEOUT: NO_WAY_THERE,
  NOT_FOUND: "a slip in the context identifier, or a customer of another environment",
  ACCESS_DENIED:
    "SUPEROFFICE_CLIENT_SECRET is another application's or environment's, or was replaced in the developer " +
    "portal; or the row's system_user_token is not this customer's",
  TOKEN_REVOKED:
    "the customer's administrator withdrew the approval; or the row holds the token of an earlier one",
  SIGNATURE_INVALID: "the key is another application's or environment's, or the developer portal " +
    "holds another public key than the one printed above",
  EXCHANGE_REFUSED:
    "client secret, private key, system user token and environment do not belong together",
  JWT_INVALID: "SUPEROFFICE_LOGIN_URL leads elsewhere, or something in between answers",
  TICKET_REFUSED: "the client secret was replaced a moment ago, or the approval was withdrawn",
  FORBIDDEN: "the system user lacks rights in this customer's SuperOffice",
  // Postgres and its client.
  "28P01": "another password, or one with signs that an address needs written as %40 and the like",
  "28000": "another user name, or a server that takes this user from other addresses alone",
  "3D000": "a slip in the name, or the database of another server",
  "42P01": "the schema was applied to another database, or the table is not on the search_path",
  "42703": "a table or view of another make",
  "ECONNREFUSED": "Postgres does not run there, or listens on another port or address",
  "ENOTFOUND":
    "a slip in the host's name, or a name of another network (a container's, for example)",
  "CONNECT_TIMEOUT": "a firewall in between, or a host that is off",
};

function likelyCausesOf(error: unknown, code: string): string | undefined {
  const { code: below = "" } = ((error as Error).cause ?? {}) as { code?: string };
  return LIKELY_CAUSES[code] ?? (code === "DATABASE_TROUBLE" ? LIKELY_CAUSES[below] : undefined);
}
