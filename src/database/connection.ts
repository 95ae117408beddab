import { connect, type Socket } from "node:net";
import process from "node:process";
import postgres from "postgres";

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

/** A client of the Postgres that holds the table `customers`. */
export type Database = postgres.Sql;

/** Tells the sessions of this process from those of another console. */
const APPLICATION_NAME = `system-user-service-console ${process.pid}`;

const CONNECT_AGAIN_SECONDS = 0.1;

/** A client for the Postgres that holds the table `customers`. It connects when it is first used. */
export function openDatabase(databaseUrl: string): Database {
  return postgres(databaseUrl, {
    connect_timeout: 10,
    connection: { application_name: APPLICATION_NAME },
    onnotice: () => {},
    // Array types are not used here, and what breaks while the client asks for them it does not tell.
    fetch_types: false,
    // The polls are the pauses. Left alone, a connection that failed often waits for up to 20 seconds when all is well again.
    backoff: () => CONNECT_AGAIN_SECONDS,
    socket: createConnect(),
  } as postgres.Options<Record<string, postgres.PostgresType>>);
}

/**
 * Left alone, the client connects again at once, without end and without a word, to a server that hangs up on it before it has
 * answered: a load balancer with nothing behind it, or a server that is starting. Here that is an error.
 */
function createConnect(): (to: { host: string[]; port: number[]; path?: string }) => Socket {
  let times = 0;
  return ({ host: hosts, port: ports, path }) => {
    const which = times++ % hosts.length;
    const [host, port] = [hosts[which]!, ports[which]!];
    const socket = path ? connect(path) : connect(port, host);
    socket.on("end", () => {
      const error = Object.assign(new Error("the server hung up"), { code: "CONNECTION_CLOSED" });
      socket.destroy(error);
    });
    // What fails at once does so before the client listens.
    socket.once("error", (error) => {
      if (socket.listenerCount("error") > 0) return;
      setImmediate(() => {
        socket.emit("error", error);
        socket.emit("close", true);
      });
    });
    // The client takes the name for TLS from here.
    return Object.assign(socket, { host, port });
  };
}

/** Where the database's server is, for a message. */
export function placeOf({ options: { host, port } }: Database): string {
  return `${host[0]}:${port[0]}`;
}

/** How long a query may take, for example while somebody else has locked a row. */
const QUERY_MS = 30_000;

/**
 * Runs a query, and gives it up after 30 seconds: what waits for a lock, or for a server that does not answer, must not
 * stop the console. Throws {@link DatabaseError}.
 */
export async function runQuery<T extends readonly postgres.MaybeRow[]>(
  query: postgres.PendingQuery<T>,
  database: Database,
): Promise<postgres.RowList<T>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      query.cancel();
      reject(
        Object.assign(new Error(`no answer in ${QUERY_MS / 1000} s`), { code: "QUERY_TIMEOUT" }),
      );
    }, QUERY_MS);
  });
  try {
    return await Promise.race([query, tooLong]);
  } catch (cause) {
    if ((cause as { code?: string }).code === READ_ONLY) await dropSessions(query, database);
    throw explainDatabaseError(cause, database);
  } finally {
    clearTimeout(timer);
  }
}

const READ_ONLY = "25006";

/** A session may stay read-only when the database is that no more: the next queries are to begin new ones. */
async function dropSessions(query: object, database: Database): Promise<void> {
  const { state } = query as { state?: { pid: number } | null };
  // What another query is about to answer is left alone, and the one that asks goes last: it does not answer any more.
  const drop = database`
    select pg_terminate_backend(pid) from (
      select pid from pg_stat_activity
      where application_name = ${APPLICATION_NAME} and datname = current_database()
        and (state = 'idle' or pid in (${state?.pid ?? 0}, pg_backend_pid()))
      order by pid = pg_backend_pid()
    ) own`;
  await drop.catch(() => {});
}

/** The way to trust a server with sslmode=verify-full: the client takes no other. */
const TRUST =
  "The certificate's authority (CA) is trusted when NODE_EXTRA_CA_CERTS (on Deno also DENO_CERT) names its file, " +
  "PEM, in the environment at the start (not in .env); sslrootcert is not read.";

/** Says what is wrong with the database, where, and what to do, for an error that a query threw. */
export function explainDatabaseError(cause: unknown, database: Database): DatabaseError {
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
        `The database «${name}» at ${place} has no table «customers»`,
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
        `Grant it: grant select, update on customers to "${user}" (and insert, delete for the command customers)`,
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
    case "QUERY_TIMEOUT":
      return explain(
        `The database «${name}» at ${place} gave ${message}`,
        "See whether a transaction that was left open holds a lock on customers (pg_stat_activity).",
      );
    case "ECONNRESET":
      if (/before secure TLS connection/.test(message)) {
        return explain(
          `The database server ${place} takes no encrypted connections (TLS)`,
          "Turn them on there (ssl = on); only where nobody can listen in, take sslmode out of DATABASE_URL instead.",
        );
      }
    // falls through
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
