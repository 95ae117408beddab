import process from "node:process";
import postgres from "postgres";
import { createConnect, createServer, type Server, trueCause } from "./connect.ts";
import { createRenewedClient, type RenewedClient } from "./renewedClient.ts";

/** The database cannot be reached, or does not hold what the console needs. */
export class DatabaseError extends Error {
  static readonly code = "DATABASE_TROUBLE";
  static readonly remedy = "What the line says; it is tried again at the next poll.";
  readonly code: string = DatabaseError.code;
  readonly remedy: string;

  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.remedy = remedy;
  }
}

/** A client of the Postgres that holds the table `customers`, with what it sees of the server. */
export type Database = RenewedClient & { server: Server };

/** Tells the sessions of this process from those of another console. */
const APPLICATION_NAME = `system-user-service-console ${process.pid}`;

/** How long a query may take, together with the connection that it needs: whoever looks on has an answer within 10 seconds. */
const QUERY_MS = 7000;

/** How long a connection is tried for: shorter, so that it is the client that gives it up. */
const CONNECT_SECONDS = 6;

/** How long it may take to find out who holds what a query waited for. */
const LOOK_MS = 1000;

/** What a client may do otherwise than usual; the package's types leave some of it out. */
export interface ConnectionOptions {
  /** How many connections there are at most. */
  max?: number;
  /** How long one is kept, in seconds; null keeps it. */
  max_lifetime?: number | null;
  /** Is given what another session has notified. */
  onnotify?: (channel: string, text: string) => void;
  /** Is told that a connection has closed. */
  onclose?: () => void;
}

/**
 * A client for the Postgres that holds the table `customers`. It connects when it is first used.
 */
export function openDatabase(
  databaseUrl: string,
  options: ConnectionOptions = {},
): Database {
  const server = createServer();
  const connect = createConnect(server);
  return createRenewedClient((onclose) => {
    const client = postgres(databaseUrl, {
      connect_timeout: CONNECT_SECONDS,
      connection: { application_name: APPLICATION_NAME },
      onnotice: () => {},
      ...options,
      onclose() {
        options.onclose?.();
        onclose();
      },
      // Array types are not used here, and what breaks while the client asks for them it does not tell.
      fetch_types: false,
      socket: connect,
    } as postgres.Options<Record<string, postgres.PostgresType>>);
    const { host: hosts, port: ports } = client.options;
    server.places = hosts.map((host, index) => ({ host, port: ports[index]! }));
    // Left alone, the client tries one host after the other without end. It reports an error while there is one host alone.
    Object.defineProperty(client.options, "host", {
      get: () => server.failures % hosts.length === 0 ? hosts.slice(0, 1) : hosts,
    });
    return client;
  }, { server });
}

/** Where the database's server is, for a message. */
export function placeOf({ server }: Database): string {
  return server.places.map(({ host, port }) => `${host}:${port}`).join(", ");
}

/**
 * Runs a query, and gives it up after 7 seconds: what waits for a lock, or for a server that does not answer, must not stop the
 * console. Throws {@link DatabaseError}.
 */
export async function runQuery<T extends readonly postgres.MaybeRow[]>(
  query: postgres.PendingQuery<T>,
  database: Database,
): Promise<postgres.RowList<T>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(async () => {
      reject(await whyNoAnswer(query, database));
      cancel(query);
    }, QUERY_MS);
  });
  try {
    return await Promise.race([query, tooLong]);
  } catch (cause) {
    // A session may stay read-only when the database is that no more.
    if ((cause as { code?: string }).code === READ_ONLY) database.renew(QUERY_MS / 1000);
    throw explainDatabaseError(cause, database);
  } finally {
    clearTimeout(timer);
  }
}

/** Why a query has no answer yet: no session was had to ask in, or others hold what it waits for, or the server does not say. */
async function whyNoAnswer(query: object, database: Database): Promise<Error> {
  const seconds = `${QUERY_MS / 1000} s`;
  const because = (code: string, message: string) => Object.assign(new Error(message), { code });
  const pid = sessionOf(query);
  if (pid === undefined) return because("CONNECT_TIMEOUT", `no connection in ${seconds}`);
  const look = database<{ pid: number; name: string }[]>`
    select pid, coalesce(application_name, '') as name from pg_stat_activity
    where pid = any(pg_blocking_pids(${pid}))`;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const noTime = new Promise<[]>((resolve) => timer = setTimeout(resolve, LOOK_MS, []));
  const blockers = await Promise.race([look.catch(() => []), noTime]);
  clearTimeout(timer);
  if (blockers.length === 0) return because("QUERY_TIMEOUT", `no answer in ${seconds}`);
  const sessions = blockers.map(({ pid, name }) => name === "" ? `${pid}` : `${pid} (${name})`);
  return because(
    "LOCKED",
    `waited ${seconds} for what another session holds: ${sessions.join(", ")}`,
  );
}

/** The server's process that a query was given to. */
function sessionOf(query: object): number | undefined {
  return (query as { state?: { pid: number } | null }).state?.pid;
}

/** The same as the query's own `cancel`, which leaves it unhandled when the server cannot be told. */
function cancel(query: object): void {
  const { canceller } = query as { canceller?: (query: object) => Promise<void> };
  canceller?.(query).catch(() => {});
}

const READ_ONLY = "25006";

/** The query may have reached the server, and no answer came. */
const NO_ANSWER = [
  "QUERY_TIMEOUT",
  "LOCKED",
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
];

/** Whether what the query was to do may have been done, although it failed with this. */
export function mayBeDone(error: unknown): boolean {
  const { code = "" } = (error as { cause?: { code?: string } }).cause ?? {};
  return error instanceof DatabaseError && NO_ANSWER.includes(code);
}

/** The way to trust a server with sslmode=verify-full: the client takes no other. */
const TRUST =
  "The certificate's authority (CA) is trusted when NODE_EXTRA_CA_CERTS (on Deno also DENO_CERT) names its file, " +
  "PEM, in the environment at the start (not in .env); sslrootcert is not read.";

/** Says what is wrong with the database, where, and what to do, for an error that a query threw. */
export function explainDatabaseError(error: unknown, database: Database): DatabaseError {
  const cause = trueCause(error, database.server);
  const { host, port, database: name, user } = database.options;
  const place = placeOf(database);
  const { code = "", message } = cause as { code?: string; message: string };
  const explain = (what: string, remedy: string) => new DatabaseError(what, remedy, { cause });
  switch (code) {
    case "28000":
      if (/no encryption|SSL off/i.test(message)) {
        return explain(
          `The database server ${place} takes encrypted connections alone`,
          "Add ?sslmode=verify-full (or require) to DATABASE_URL.",
        );
      }
    // falls through
    case "28P01":
      return explain(
        `The database server ${place} refused the user «${user}»: ${message}`,
        "Check user name and password in DATABASE_URL.",
      );
    case "3D000":
      return explain(
        `The database server ${place} has no database «${name}»`,
        `Check DATABASE_URL, or create it: createdb -h ${host[0]} -p ${port[0]} ${name}`,
      );
    case "42P01":
      return explain(
        `The database «${name}» at ${place} has no table «${
          message.match(/relation "([^"]+)"/)?.[1] ?? "customers"
        }»`,
        'Create it: npm run customers -- init (or psql "$DATABASE_URL" -f fixtures/schema.sql)',
      );
    case "42703":
      return explain(
        `The table «customers» in «${name}» at ${place} is not as expected: ${message}`,
        "Compare it with fixtures/schema.sql and add what is missing.",
      );
    case "42501":
      return explain(
        `The user «${user}» may not do this in «${name}» at ${place}: ${message}`,
        `Grant it: grant select, update on customers to "${user}" (and insert, delete for the command customers: add, approve, remove)`,
      );
    case "42704":
      return explain(
        `The database server ${place} does not know what DATABASE_URL asks for: ${message}`,
        `Take that out of DATABASE_URL. ${TRUST}`,
      );
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return explain(
        `The certificate of the database server ${place} comes from nobody whom this machine trusts: ${message}`,
        // On Deno the same is said of one that is out of its time.
        `${TRUST} Check this machine's clock and the certificate's dates, too.`,
      );
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return explain(
        `The certificate of the database server ${place} is out of its time: ${message}`,
        "Check this machine's clock; if it is right, have the server's certificate renewed.",
      );
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return explain(
        `The certificate of the database server ${place} is for another name: ${message}`,
        "Put the name that is in the certificate into DATABASE_URL, not an address in digits.",
      );
    case "53300":
      return explain(
        `The database server ${place} has no connections left: ${message} (${code})`,
        "See who holds them (pg_stat_activity); raise max_connections there, or the limit of this user or database.",
      );
    case READ_ONLY:
      return explain(
        `The database «${name}» at ${place} is read-only for now: ${message}`,
        "See whether it is a standby, or was set so (default_transaction_read_only); it is tried again.",
      );
    case "LOCKED":
      return explain(
        `A query of the database «${name}» at ${place} ${message}`,
        "Commit or end what was left open there; pg_stat_activity shows it, select pg_terminate_backend(…) ends it.",
      );
    case "QUERY_TIMEOUT":
      return explain(
        `The database «${name}» at ${place} gave ${message}`,
        "See whether the server is overloaded, or a transaction that was left open holds a lock on customers (pg_stat_activity).",
      );
    case "NO_TLS":
      return explain(
        `The database server ${place} takes no encrypted connections (TLS), which DATABASE_URL asks for (sslmode)`,
        "Turn them on there (ssl = on); only where nobody can listen in, take sslmode out of DATABASE_URL instead.",
      );
    case "NO_POSTGRES":
      return explain(
        `What listens at ${place} answers, but is no Postgres: ${message}`,
        "Check host and port in DATABASE_URL: a Postgres listens on 5432, if nobody changed that.",
      );
    case "SILENT":
      return explain(
        `What listens at ${place} takes connections, but says nothing that a Postgres says`,
        "Check host and port in DATABASE_URL (5432, if nobody changed that); if they are right, look at the server: it may hang.",
      );
    case "ECONNRESET":
    case "ECONNREFUSED":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EPIPE":
    case "ETIMEDOUT":
    case "CONNECT_TIMEOUT":
    case "CONNECTION_CLOSED":
    case "CONNECTION_DESTROYED":
    case "57P01":
    case "57P03":
      return explain(
        `The database server ${place} cannot be reached (${code})`,
        "Check that it runs, and that DATABASE_URL names its host and port.",
      );
    default:
      return explain(
        `The database «${name}» at ${place} failed: ${message}${code && ` (${code})`}`,
        "Look at the database server's own log.",
      );
  }
}
