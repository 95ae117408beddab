// Looks after the table customers.
import { readFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Database, openDatabase } from "./database/connection.ts";
import {
  addCustomer,
  createTable,
  findCustomer,
  listCustomers,
  pauseCustomer,
  removeCustomer,
  replaceToken,
  resumeCustomer,
} from "./database/customerTable.ts";
import {
  type CommandName,
  CUSTOMERS_HELP,
  type CustomersRequest,
  readCustomersCommandLine,
} from "./program/customersCommandLine.ts";
import { SettingsError } from "./program/errors.ts";
import { endWhenNobodyReads, EXIT_FAILED, EXIT_OK, exitCodeOf, write } from "./program/exit.ts";
import { formatCustomers } from "./program/formatCustomers.ts";
import { createSecrets } from "./program/knownSecrets.ts";
import { createRedact } from "./program/redact.ts";
import { faultsOf, targetSchema } from "./program/settings.ts";
import { secretsOf, takeVariables, type Variables } from "./program/variables.ts";
import { ask, faultOfToken, readInput } from "./program/terminal.ts";

const SCHEMA = new URL("../fixtures/schema.sql", import.meta.url);

/** Does what the command line asks for, and gives the exit code. */
type Run = (database: Database, request: CustomersRequest) => Promise<number>;

const RUNS: Record<CommandName, Run> = { list, init, add, pause, resume, remove };

const secrets = createSecrets();
const redact = createRedact(secrets);

async function main(): Promise<number> {
  const request = readCustomersCommandLine(process.argv.slice(2));
  if (request === "help") {
    await write(process.stdout, CUSTOMERS_HELP);
    return EXIT_OK;
  }
  const { variables, warnings } = await takeVariables();
  for (const warning of warnings) await write(process.stderr, redact.lines(`${warning}\n`));
  const database = openDatabase(readDatabaseUrl(variables));
  try {
    return await RUNS[request.command](database, request);
  } finally {
    await database.end({ timeout: 5 });
  }
}

function readDatabaseUrl(variables: Variables): string {
  for (const secret of secretsOf(variables)) secrets.add(secret);
  const { success, data, error } = targetSchema.pick({ DATABASE_URL: true }).safeParse(variables);
  if (!success) throw new SettingsError(faultsOf(error));
  return data.DATABASE_URL;
}

async function list(database: Database): Promise<number> {
  const pages = listCustomers(database);
  for await (const text of formatCustomers(pages, process.stdout.columns, redact)) {
    await write(process.stdout, redact.lines(text));
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

async function add(database: Database, { customer, options }: CustomersRequest): Promise<number> {
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

async function pause(database: Database, { customer }: CustomersRequest): Promise<number> {
  const paused = await pauseCustomer(customer, database);
  if (paused.length === 0) return await notFound(customer);
  return await say(`Paused ${inWords(paused)}; the console leaves it alone from its next poll on.`);
}

async function resume(database: Database, { customer }: CustomersRequest): Promise<number> {
  const resumed = await resumeCustomer(customer, database);
  if (resumed.length === 0) return await notFound(customer);
  return await say(`Resumed ${inWords(resumed)}; the console logs on to it at its next poll.`);
}

async function remove(
  database: Database,
  { customer, options }: CustomersRequest,
): Promise<number> {
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

async function say(sentence: string): Promise<number> {
  await write(process.stdout, redact.lines(`${sentence}\n`));
  return EXIT_OK;
}

async function fail(sentence: string): Promise<number> {
  await write(process.stderr, redact.lines(`${sentence}\n`));
  return EXIT_FAILED;
}

endWhenNobodyReads(EXIT_OK);
process.exit(await exitCodeOf(main, redact));
