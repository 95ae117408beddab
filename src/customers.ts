import { readFile } from "node:fs/promises";
import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  addCustomer,
  createTable,
  faultOfToken,
  findCustomer,
  formatCustomers,
  listCustomers,
  pauseCustomer,
  removeCustomer,
  replaceToken,
  resumeCustomer,
  toContextIdentifier,
} from "./customerTable.ts";
import { type Database, openDatabase } from "./database.ts";
import { problemOf, SettingsError, UsageError } from "./errors.ts";
import { createRedact, createSecrets } from "./redact.ts";
import { faultsOf, readVariables, secretsOf, targetSchema, type Variables } from "./settings.ts";

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_WRONG_SETTINGS = 2;
/** More than any token, and little enough to hold. */
const INPUT_LETTERS = 65_536;
const SCHEMA = new URL("../fixtures/schema.sql", import.meta.url);

const HELP = `Looks after the table customers: whom the console logs on to.

Usage: npm run customers -- <command>      or: deno task customers <command>

  list                             all customers, their state, last sync and last error
  init                             create the table where it does not exist
  add Cust12345 --token-stdin      add a customer; its system user token is read from the standard
                                   input, never from the command line:
                                     npm run customers -- add Cust12345 --token-stdin < token.txt
  add … --token-stdin --replace    store a new token for a customer that exists, and resume it
  pause Cust12345                  the console leaves it alone
  resume Cust12345                 the console takes it again, and forgets its last error
  remove Cust12345 [--yes]         remove it and its token; --yes does not ask
  --help                           show this

Needs DATABASE_URL (postgres://user:password@host:5432/database), in the environment or in a file .env.
Exit codes: 0 done; 1 not done, with the reason; 2 wrong settings or usage.
`;

type Option = "token-stdin" | "replace" | "yes";

const COMMANDS: Record<string, { run: Run; takesCustomer: boolean; options: Option[] }> = {
  list: { run: list, takesCustomer: false, options: [] },
  init: { run: init, takesCustomer: false, options: [] },
  add: { run: add, takesCustomer: true, options: ["token-stdin", "replace"] },
  pause: { run: pause, takesCustomer: true, options: [] },
  resume: { run: resume, takesCustomer: true, options: [] },
  remove: { run: remove, takesCustomer: true, options: ["yes"] },
};

interface Request {
  run: Run;
  /** As SuperOffice writes it; empty for a command that takes none. */
  customer: string;
  options: Set<Option>;
}

/** Does what the command line asks for, and gives the exit code. */
type Run = (database: Database, request: Request) => Promise<number>;

const secrets = createSecrets();
const redact = createRedact(secrets);

async function main(): Promise<number> {
  const request = readCommandLine(process.argv.slice(2));
  if (request === "help") return await print(HELP);
  const database = openDatabase(readDatabaseUrl(await readVariables()));
  try {
    return await request.run(database, request);
  } finally {
    await database.end({ timeout: 5 });
  }
}

/** Throws {@link UsageError}. It repeats nothing: a token could have been put anywhere by mistake. */
function readCommandLine(args: string[]): Request | "help" {
  const { values: { help, ...given }, positionals: [name, ...rest] } = parse(args);
  if (help) return "help";
  const names = Object.keys(COMMANDS).join(", ");
  if (name === undefined) throw new UsageError(`Say what to do: ${names}`);
  if (!Object.hasOwn(COMMANDS, name)) throw new UsageError(`The commands are ${names}`);

  const { run, takesCustomer, options } = COMMANDS[name]!;
  const foreign = (Object.keys(given) as Option[]).find((option) => !options.includes(option));
  if (foreign !== undefined) throw new UsageError(`${name} does not take --${foreign}`);
  if (rest.length > (takesCustomer ? 1 : 0)) {
    throw new UsageError(
      `${name} takes ${takesCustomer ? "one context identifier" : "no argument"} and nothing ` +
        "after it. A token belongs on the standard input; if one was among the arguments, it " +
        "is now in the shell's history: remove it there",
    );
  }
  const customer = takesCustomer ? toContextIdentifier(rest[0] ?? "") : "";
  if (customer === undefined) {
    throw new UsageError(`${name} needs a context identifier: Cust and digits, as in Cust12345`);
  }
  if (name === "add" && !given["token-stdin"]) {
    throw new UsageError(
      "add needs --token-stdin: the token is read from the standard input, never from the command line",
    );
  }
  return { run, customer, options: new Set(Object.keys(given) as Option[]) };
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
        help: { type: "boolean", short: "h" },
      },
    });
  } catch {
    throw new UsageError(
      "The options are --token-stdin, --replace, --yes and --help, each without a value",
    );
  }
}

function readDatabaseUrl(variables: Variables): string {
  const { DATABASE_URL: databaseUrl = "", SUPEROFFICE_CLIENT_SECRET: clientSecret = "" } =
    variables;
  for (const secret of secretsOf({ databaseUrl, clientSecret })) secrets.add(secret);
  const { success, data, error } = targetSchema.pick({ DATABASE_URL: true }).safeParse(variables);
  if (!success) throw new SettingsError(faultsOf(error));
  return data.DATABASE_URL;
}

async function list(database: Database): Promise<number> {
  const pages = listCustomers(database);
  for await (const text of formatCustomers(pages, process.stdout.columns, redact)) {
    await print(text);
  }
  return EXIT_OK;
}

async function init(database: Database): Promise<number> {
  let schema: string;
  try {
    schema = await readFile(SCHEMA, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : code ?? message;
    return await fail(
      `The schema ${fileURLToPath(SCHEMA)} cannot be read: ${reason}. ` +
        "Run init where the whole repository is, or create the table by hand.",
    );
  }
  await createTable(schema, database);
  return await say("The table customers is there, with all that the console needs.");
}

async function add(database: Database, { customer, options }: Request): Promise<number> {
  const replaces = options.has("replace");
  // Asked before the token is, which nobody likes to paste twice.
  const found = await findCustomer(customer, database);
  if (found.length > 0 && !replaces) return await exists(found);

  const token = await readToken(customer);
  if (token === undefined) return await fail("Nothing was stored.");
  secrets.add(token);
  const fault = faultOfToken(token);
  if (fault !== undefined) return await fail(`${fault} Nothing was stored.`);

  if (replaces) {
    const replaced = await replaceToken(customer, token, database);
    if (replaced.length > 0) {
      return await say(
        `Stored the new token of ${inWords(replaced)}; the console takes it at its next poll.`,
      );
    }
  }
  const added = await addCustomer(customer, token, database);
  if (added.length === 0) return await exists([customer]);
  return await say(`Added ${inWords(added)}; the console logs on to it at its next poll.`);
}

async function exists(found: string[]): Promise<number> {
  return await fail(
    `${inWords(found)} exists already. To store a new token: ` +
      `add ${found[0]} --token-stdin --replace`,
  );
}

async function pause(database: Database, { customer }: Request): Promise<number> {
  const paused = await pauseCustomer(customer, database);
  if (paused.length === 0) return await notFound(customer);
  return await say(`Paused ${inWords(paused)}; the console leaves it alone from its next poll on.`);
}

async function resume(database: Database, { customer }: Request): Promise<number> {
  const resumed = await resumeCustomer(customer, database);
  if (resumed.length === 0) return await notFound(customer);
  return await say(`Resumed ${inWords(resumed)}; the console logs on to it at its next poll.`);
}

async function remove(database: Database, { customer, options }: Request): Promise<number> {
  if (!options.has("yes")) {
    if (!process.stdin.isTTY) {
      return await fail(
        "remove asks before it removes, and there is no terminal to ask on: add --yes.",
      );
    }
    const found = await findCustomer(customer, database);
    if (found.length === 0) return await notFound(customer);
    const answer = await ask(`Remove ${inWords(found)} and its token? [y/N] `);
    if (!/^y(es)?$/i.test(answer?.trim() ?? "")) return await fail("Nothing was removed.");
  }
  const removed = await removeCustomer(customer, database);
  if (removed.length === 0) return await notFound(customer);
  return await say(`Removed ${inWords(removed)} and its token.`);
}

async function notFound(customer: string): Promise<number> {
  return await fail(`There is no customer ${customer}; list shows those there are.`);
}

/** More than one where rows differ in case alone. */
function inWords(customers: string[]): string {
  return customers.join(" and ");
}

/** The token, without the line break at its end; undefined when nobody wanted to give one. */
async function readToken(customer: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return (await readInput()).replace(/\r?\n$/, "");
  return await ask(
    `Paste the system user token of ${customer} (it is not shown), then press Enter: `,
    { isSecret: true },
  );
}

async function readInput(): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of process.stdin) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > INPUT_LETTERS) break;
  }
  return text + decoder.decode();
}

/** Asks on the terminal. Gives undefined when Ctrl-C or Ctrl-D is the answer. */
async function ask(question: string, { isSecret = false } = {}): Promise<string | undefined> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // With a terminal that is not told to, nothing is echoed: from here on readline does that.
  const reader = createInterface({
    input: process.stdin,
    output: isSecret ? nowhere : process.stderr,
    terminal: true,
    historySize: 0,
  });
  const answer = await new Promise<string | undefined>((resolve) => {
    reader.once("SIGINT", () => reader.close());
    reader.once("close", () => resolve(undefined));
    if (isSecret) process.stderr.write(question);
    reader.question(isSecret ? "" : question, resolve);
  });
  reader.close();
  if (isSecret || answer === undefined) process.stderr.write("\n");
  return answer;
}

async function say(sentence: string): Promise<number> {
  return await print(`${sentence}\n`);
}

async function fail(sentence: string): Promise<number> {
  await write(process.stderr, `${sentence}\n`);
  return EXIT_FAILED;
}

async function print(text: string): Promise<number> {
  await write(process.stdout, text);
  return EXIT_OK;
}

async function printError(error: unknown): Promise<number> {
  const { problem, remedy } = problemOf(error);
  await write(process.stderr, `${problem}\n${remedy}\n`);
  const isSettings = error instanceof SettingsError || error instanceof UsageError;
  return isSettings ? EXIT_WRONG_SETTINGS : EXIT_FAILED;
}

/** Resolves when it is out. */
function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve) => stream.write(redact(text), () => resolve()));
}

// Whoever read the output is gone, as with `| head`.
process.stdout.on("error", () => process.exit(EXIT_OK));

process.exit(await main().catch(printError));
