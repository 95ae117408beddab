import { UsageError } from "./errors.ts";
import { readOptions } from "./readOptions.ts";

/** What the command line asks for. */
export interface CommandLine {
  once: boolean;
  /** Whether the work is shared with other consoles. */
  share: boolean;
  demo: boolean;
  help: boolean;
  version: boolean;
  /** The customers to take, as they were typed; all when there are none. */
  customers: string[];
  /** The path of a work script. */
  work?: string | undefined;
}

export const HELP =
  `System User Service Console: logs on to each customer's SuperOffice tenant as the system user.

Usage: src/main.ts [options]

  --once        one poll, then exit: 0, or 1 when a customer failed
  --work F      run the default export of the module F in each tenant, after the log-on
  --share       divide the customers with other consoles at the same database
  --customer C  take this customer alone, such as Cust12345; may be said more than once
  --demo        run against sample customers and a stand-in for SuperOffice, both on this machine
  --help        show this
  --version     show the version

With no settings at all the demo runs. For your own application set, in the environment or in a file .env:

  DATABASE_URL                   postgres://user:password@host:5432/database, with the table customers
  SUPEROFFICE_ENVIRONMENT        sod (default), qaonline or online
  SUPEROFFICE_CLIENT_SECRET      the application's client secret
  SUPEROFFICE_PRIVATE_KEY_FILE   the path of its private key, XML or PEM
  SUPEROFFICE_PRIVATE_KEY        or the key itself (line breaks may be written \\n)

and, where the defaults do not suit:

  SUPEROFFICE_LOGIN_URL          another login host than https://{environment}.superoffice.com
  SUPEROFFICE_CLIENT_ID          the application's client id, by which the audience of notifications is judged
  WORK                                 the same as --work
  WORK_TIMEOUT_SECONDS           600   how long it may take for one customer
  WORK_CALLS_PER_SECOND          10    how many calls a second it makes to one tenant at most
  POLL_SECONDS                   15    from one poll's start to the next
  TENANT_SECONDS                       how often a customer is called while nothing about it changes; at each poll without
  CONCURRENCY                    auto  tenants worked on at once: 32 to 512, as the beat needs; or a number
  REQUEST_TIMEOUT_SECONDS        30    one HTTP request, with its repeats
  SHUTDOWN_SECONDS               10    how long a stop waits for work in hand
  SHARE                          off   on: the same as --share
  NOTIFICATIONS_LISTEN           host:port, where SuperOffice's tenant notifications are taken, behind an https of yours
  HEALTH_LISTEN                  host:port, where /livez and /readyz answer whoever supervises it
  TICKET_REUSE                   on    off: exchange at every poll, to watch how it goes
  TICKET_STORE                   memory  database: keep tickets, encrypted, in the table tickets, so that they outlive this
  LOG_LEVEL                      info  debug, info, warning or error
  LOG_FORMAT                     text  text, or json: one object a line
  LOG_FILE                       a path: the log goes there, too, into a file a day
  LOG_KEEP_DAYS                  92    how long those files are kept
  HTTPS_PROXY, HTTP_PROXY        http://user:password@host:port, the proxy for https and for http addresses; also in lower case
  NO_PROXY                       the hosts that are asked directly, as in localhost,.example.com

For the approval by a customer's administrator alone (npm run customers -- approve):

  SUPEROFFICE_CLIENT_ID                the application's client id
  SUPEROFFICE_REDIRECT_URL             where the answer comes: http://127.0.0.1:3300/openid/callback, or another that is registered
  LISTEN                               host:port to listen at, where that is not the redirect URL's own

Exit codes: 0 done or stopped; 1 a customer or the database failed (--once); 2 wrong settings or usage.
`;

/** Reads the command line. Throws {@link UsageError} for what it does not know. */
export function readCommandLine(args: string[]): CommandLine {
  const { values: { customer: customers, ...values }, positionals } = readOptions(args, {
    once: { type: "boolean", default: false },
    share: { type: "boolean", default: false },
    demo: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
    customer: { type: "string", multiple: true, default: [] },
    work: { type: "string" },
    version: { type: "boolean", default: false },
  });
  if (positionals.length > 0) throw new UsageError("The console takes options alone, as in --once");
  if (values.share && customers.length > 0) {
    throw new UsageError("--share is for all customers together, --customer for one console alone");
  }
  return { ...values, customers };
}
