import { parseArgs } from "node:util";
import { UsageError } from "./errors.ts";

export const CUSTOMERS_HELP = `Looks after the table customers: whom the console logs on to.

Usage: npm run customers -- <command>      or: deno task customers <command>

  list                             all customers, their state, last sync, calls (today / in 30
                                   days) and last error; a call is a request to the tenant's web
                                   services, repeats included; a day is one of UTC
  list Cust12345                   one or more of them, with the whole last error
  list --json                      the same as JSON, one customer a line (npm run --silent …)
  init                             create the tables where they do not exist
  add Cust12345 --token-stdin      add a customer; its system user token is read from the standard
                                   input, never from the command line:
                                     npm run customers -- add Cust12345 --token-stdin < token.txt
  add … --token-stdin --replace    store a new token for a customer that exists, and resume it
  approve [Cust12345]              wait for a customer's administrator to approve the application, store
                                   what comes of it, and log on once (src/approve/approval.md)
  approve --replace                the same for a customer that exists
  approve --keep-open              one customer after the other, all by the same address
  approve --minutes 30             how long it waits: 10 minutes; with --keep-open without an end
  approve --no-open                leaves the browser alone
  approve --demo                   the whole of it on this machine, with a stand-in for SuperOffice
  pause Cust12345                  the console leaves it alone
  resume Cust12345                 the console takes it again, and forgets its last error
  restart Cust12345                the work script begins afresh there: its lastSync is null
  remove Cust12345 [--yes]         remove it, its token and its calls; --yes does not ask
                                   (pause, resume, restart and remove take several customers as well)
  share-sql                        the SQL that a database administrator runs for --share, where the
                                   user in DATABASE_URL may not create a schema (npm run --silent …)
  --help                           show this

Needs DATABASE_URL (postgres://user:password@host:5432/database), in the environment or in a file .env;
approve needs the console's other settings, too, and these:

  SUPEROFFICE_CLIENT_ID            the application's client id
  SUPEROFFICE_REDIRECT_URL         a redirect URL that is registered for it, where the answer is waited
                                   for; http://127.0.0.1:3300/openid/callback where it is not set
  LISTEN                           host:port to listen at, where that is not the redirect URL's own

Exit codes: 0 done; 1 not done, with the reason; 2 wrong settings or usage.
`;

/** What may be added to a command. */
export type Option =
  | "token-stdin"
  | "replace"
  | "yes"
  | "json"
  | "keep-open"
  | "minutes"
  | "no-open"
  | "demo";

/** What can be done with the table. */
export type CommandName =
  | "list"
  | "init"
  | "add"
  | "approve"
  | "pause"
  | "resume"
  | "restart"
  | "remove"
  | "share-sql";

/** How many customers each takes, and which options. */
const COMMANDS: Record<CommandName, { fewest: number; most: number; options: Option[] }> = {
  list: { fewest: 0, most: Infinity, options: ["json"] },
  init: { fewest: 0, most: 0, options: [] },
  add: { fewest: 1, most: 1, options: ["token-stdin", "replace"] },
  approve: {
    fewest: 0,
    most: 1,
    options: ["replace", "keep-open", "minutes", "no-open", "demo"],
  },
  pause: { fewest: 1, most: Infinity, options: [] },
  resume: { fewest: 1, most: Infinity, options: [] },
  restart: { fewest: 1, most: Infinity, options: [] },
  remove: { fewest: 1, most: Infinity, options: ["yes"] },
  "share-sql": { fewest: 0, most: 0, options: [] },
};

const FORM = "Cust and digits, as in Cust12345";
const ABOUT_TOKENS =
  "A token belongs on the standard input; if one was among the arguments, it is now in the shell's history: remove it there";

/** What the command line asks for. */
export interface CustomersRequest {
  command: CommandName;
  /** As SuperOffice writes them, each once; none where none was named. */
  customers: string[];
  options: Set<Option>;
  /** How long an approval is waited for, where that is said. */
  minutes: number | undefined;
}

/** Reads the command line. Throws {@link UsageError}. It repeats nothing: a token could have been put anywhere by mistake. */
export function readCustomersCommandLine(args: string[]): CustomersRequest | "help" {
  const { values: { help, ...given }, positionals: [name, ...rest] } = parse(args);
  if (help) return "help";
  const names = Object.keys(COMMANDS).join(", ");
  if (name === undefined) throw new UsageError(`Say what to do: ${names}`);
  if (!Object.hasOwn(COMMANDS, name)) throw new UsageError(`The commands are ${names}`);

  const { fewest, most, options } = COMMANDS[name as CommandName];
  const foreign = (Object.keys(given) as Option[]).find((option) => !options.includes(option));
  if (foreign !== undefined) throw new UsageError(`${name} does not take --${foreign}`);
  if (rest.length > most) {
    const taken = most === 0 ? "no argument" : "one context identifier";
    throw new UsageError(`${name} takes ${taken} and nothing after it. ${ABOUT_TOKENS}`);
  }
  if (rest.length < fewest) throw new UsageError(`${name} needs a context identifier: ${FORM}`);
  const customers = rest.map(toContextIdentifier);
  if (!customers.every((customer) => customer !== undefined)) {
    throw new UsageError(`${name} takes context identifiers alone: ${FORM}. ${ABOUT_TOKENS}`);
  }
  if (name === "add" && !given["token-stdin"]) {
    throw new UsageError(
      "add needs --token-stdin: the token is read from the standard input, never from the command line",
    );
  }
  return {
    command: name as CommandName,
    customers: [...new Set(customers)],
    options: new Set(Object.keys(given) as Option[]),
    minutes: readMinutes(given.minutes),
  };
}

const MOST_MINUTES = 7 * 24 * 60;

function readMinutes(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const minutes = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (minutes >= 1 && minutes <= MOST_MINUTES) return minutes;
  throw new UsageError(`--minutes takes a whole number, 1 to ${MOST_MINUTES}`);
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        "token-stdin": { type: "boolean" },
        replace: { type: "boolean" },
        yes: { type: "boolean" },
        json: { type: "boolean" },
        "keep-open": { type: "boolean" },
        minutes: { type: "string" },
        "no-open": { type: "boolean" },
        demo: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch {
    throw new UsageError(
      "The options are --token-stdin, --replace, --yes, --json, --keep-open, --no-open, --demo and --help, each without a " +
        "value, and --minutes with a number",
    );
  }
}

/** The context identifier as SuperOffice writes it, `Cust12345`; undefined for what has another form. */
function toContextIdentifier(text: string): string | undefined {
  const digits = text.match(/^cust(\d+)$/i)?.[1];
  return digits === undefined ? undefined : `Cust${digits}`;
}
