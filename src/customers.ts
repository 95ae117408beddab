// Looks after the table customers, and makes those beside it.
import { readFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Database, type DatabaseError, openDatabase } from "./database/connection.ts";
import { addCallTable } from "./database/callCounts.ts";
import {
  createTable,
  findCustomer,
  listCustomers,
  pauseCustomer,
  removeCustomer,
  restartWork,
  resumeCustomer,
  storeToken,
  whichTables,
} from "./database/customerTable.ts";
import { pgBossSql } from "./database/pgBoss.ts";
import { addLastWork, findLastWorkFault } from "./database/lastWork.ts";
import { type AddedTickets, addTickets, TicketTableError } from "./database/ticketTable.ts";
import {
  type CommandName,
  CUSTOMERS_HELP,
  type CustomersRequest,
  type Option,
  readCustomersCommandLine,
} from "./program/customersCommandLine.ts";
import { SettingsError } from "./program/errors.ts";
import { endWhenNobodyReads, EXIT_FAILED, EXIT_OK, exitCodeOf, write } from "./program/exit.ts";
import { customersAsJson, formatCustomers } from "./program/formatCustomers.ts";
import { createSecrets } from "./program/knownSecrets.ts";
import { createRedact } from "./program/redact.ts";
import { faultsOf, targetSchema } from "./program/settings.ts";
import { secretsOf, takeVariables, type Variables } from "./program/variables.ts";
import { ask, faultOfToken, readInput } from "./program/terminal.ts";

const SCHEMA = new URL("../fixtures/schema.sql", import.meta.url);

/** Does what the command line asks for, and gives the exit code. */
type Run = (database: Database, request: CustomersRequest) => Promise<number>;

/** What is asked for one of the customers. */
interface OneRequest {
  customer: string;
  options: Set<Option>;
}

const RUNS: Record<Exclude<CommandName, "approve">, Run> = {
  list,
  init,
  add: forEach(add),
  pause: forEach(pause),
  resume: forEach(resume),
  restart,
  remove,
  "share-sql": async (database) => {
    await write(process.stdout, await pgBossSql(database));
    return EXIT_OK;
  },
};

const secrets = createSecrets();
const redact = createRedact(secrets);

async function main(): Promise<number> {
  const request = readCustomersCommandLine(process.argv.slice(2));
  // What an approval began is brought to its end first.
  if (request === "help" || request.command !== "approve") endWhenNobodyReads(EXIT_OK);
  if (request === "help") {
    await write(process.stdout, CUSTOMERS_HELP);
    return EXIT_OK;
  }
  const { variables, warnings } = await takeVariables();
  for (const warning of warnings) await write(process.stderr, redact.lines(`${warning}\n`));
  const { command } = request;
  if (command === "approve") {
    for (const secret of secretsOf(variables)) secrets.add(secret);
    const { approve } = await import("./approve/approve.ts");
    return await approve(request, variables, warnings, { secrets, redact });
  }
  const database = openDatabase(readDatabaseUrl(variables));
  try {
    return await RUNS[command](database, request);
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

/** Does it for each customer that was named, whatever came of the others; gives the worst exit code. */
function forEach(run: (database: Database, request: OneRequest) => Promise<number>): Run {
  return async (database, { customers, options }) => {
    let exitCode = EXIT_OK;
    for (const customer of customers) {
      exitCode = Math.max(exitCode, await run(database, { customer, options }));
    }
    return exitCode;
  };
}

async function list(
  database: Database,
  { customers, options }: CustomersRequest,
): Promise<number> {
  const unknown = await whichAreUnknown(customers, database);
  if (customers.length === 0 || unknown.length < customers.length) {
    const pages = listCustomers(customers, database);
    const width = customers.length === 0 ? process.stdout.columns : Infinity;
    const texts = options.has("json")
      ? customersAsJson(pages, redact)
      : formatCustomers(pages, width, redact);
    for await (const text of texts) await write(process.stdout, text);
  }
  for (const customer of unknown) await notFound(customer);
  return unknown.length === 0 ? EXIT_OK : EXIT_FAILED;
}

async function whichAreUnknown(customers: string[], database: Database): Promise<string[]> {
  const unknown: string[] = [];
  for (const customer of customers) {
    if ((await findCustomer(customer, database)).length === 0) unknown.push(customer);
  }
  return unknown;
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
  const tables = await whichTables(database);
  await createTable(schema, database);
  await say(
    tables.has("customers")
      ? "The table customers was there already."
      : "Made the table customers.",
  );
  await sayOfLastWork(await addLastWork(database));
  await sayOfTickets(tables.has("tickets"), await addTickets(schema, database));
  await sayOfCalls(tables.has("calls"), await addCallTable(schema, database));
  return await say(GRANTS);
}

const GRANTS =
  "Where the console has a user of its own, here called console, that needs (add, approve and remove also insert and delete on customers): " +
  "grant select, update on customers to console; grant select, insert, update, delete on tickets, calls to console;";

async function sayOfLastWork(added: boolean | DatabaseError): Promise<void> {
  if (added === true) {
    await say("Added the column last_work to it, which a work script's lastSync comes from.");
  } else if (added !== false) {
    await say(`A work script's lastSync stays null: ${added.message}. ${added.remedy}`);
  }
}

const FOR_TICKETS = "TICKET_STORE=database and SHARE=on (--share)";

async function sayOfTickets(
  wasThere: boolean,
  added: AddedTickets | TicketTableError,
): Promise<void> {
  if (added instanceof TicketTableError) {
    await say(
      `The table tickets is of no use yet to ${FOR_TICKETS}: ${added.message}. ${added.remedy}`,
    );
  } else if (added.columns.length > 0) {
    await say(
      `Added to the table tickets, which is for ${FOR_TICKETS}: ${added.columns.join(", ")}.`,
    );
  } else if (wasThere) await say("The table tickets was there already.");
  else await say(`Made the table tickets, for ${FOR_TICKETS}.`);
}

async function sayOfCalls(wasThere: boolean, added: boolean | DatabaseError): Promise<void> {
  if (typeof added !== "boolean") {
    await say(`How many calls are made is not kept: ${added.message}. ${added.remedy}`);
  } else if (wasThere) await say("The table calls was there already.");
  else await say("Made the table calls, which keeps how many were made to each customer each day.");
}

async function add(database: Database, { customer, options }: OneRequest): Promise<number> {
  const replaces = options.has("replace");
  // Asked before the token is, which nobody likes to paste twice.
  const found = await findCustomer(customer, database);
  if (found.length > 0 && !replaces) return await exists(found);

  const token = await readToken(customer);
  if (token === undefined) return await fail("Nothing was stored.");
  secrets.add(token);
  const fault = faultOfToken(token);
  if (fault !== undefined) return await fail(`${fault} Nothing was stored.`);

  const { stored, customers } = await storeToken(customer, token, replaces, database);
  if (stored === "exists") return await exists(customers);
  return await say(
    stored === "added"
      ? `Added ${inWords(customers)}; the console logs on to it at its next poll.`
      : `Stored the new token of ${inWords(customers)}; the console takes it at its next poll.`,
  );
}

async function exists(found: string[]): Promise<number> {
  return await fail(
    `${inWords(found)} exists already. To store a new token: ` +
      `add ${found[0]} --token-stdin --replace`,
  );
}

async function pause(database: Database, { customer }: OneRequest): Promise<number> {
  const paused = await pauseCustomer(customer, database);
  if (paused.length === 0) return await notFound(customer);
  return await say(`Paused ${inWords(paused)}; the console leaves it alone from its next poll on.`);
}

async function resume(database: Database, { customer }: OneRequest): Promise<number> {
  const resumed = await resumeCustomer(customer, database);
  if (resumed.length === 0) return await notFound(customer);
  return await say(`Resumed ${inWords(resumed)}; the console logs on to it at its next poll.`);
}

async function restart(database: Database, request: CustomersRequest): Promise<number> {
  const fault = await findLastWorkFault(database);
  if (fault !== undefined) throw fault;
  return await forEach(restartOne)(database, request);
}

async function restartOne(database: Database, { customer }: OneRequest): Promise<number> {
  const restarted = await restartWork(customer, database);
  if (restarted.length === 0) return await notFound(customer);
  return await say(
    `Restarted ${
      inWords(restarted)
    }: the work script begins afresh there at its next run (one that is under way and began afresh itself counts as that).`,
  );
}

async function remove(database: Database, request: CustomersRequest): Promise<number> {
  if (!request.options.has("yes")) {
    if (!process.stdin.isTTY) {
      return await fail(
        "remove asks before it removes, and there is no terminal to ask on: add --yes.",
      );
    }
    const found: string[] = [];
    for (const customer of request.customers) {
      found.push(...await findCustomer(customer, database));
    }
    if (found.length > 0 && !await agrees(found)) return await fail("Nothing was removed.");
  }
  return await forEach(removeOne)(database, request);
}

async function agrees(found: string[]): Promise<boolean> {
  const tokens = found.length === 1 ? "its token" : "their tokens";
  const answer = await ask(`Remove ${inWords(found)} and ${tokens}? [y/N] `);
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}

async function removeOne(database: Database, { customer }: OneRequest): Promise<number> {
  const removed = await removeCustomer(customer, database);
  if (removed.length === 0) return await notFound(customer);
  return await say(`Removed ${inWords(removed)} and its token.`);
}

async function notFound(customer: string): Promise<number> {
  return await fail(`There is no customer ${customer}; list shows those there are.`);
}

/** A customer is more than one where rows differ in case alone. */
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

process.exit(await exitCodeOf(main, redact));
