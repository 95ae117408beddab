import { type Database, explainDatabaseError } from "./database.ts";
import type { Redact } from "./redact.ts";

/** What is shown of a row of the table `customers`: never the token. */
export interface ListedCustomer {
  id: string;
  /** The tenant, for example `Cust12345`. */
  contextIdentifier: string;
  isActive: boolean;
  lastSync: Date | null;
  lastError: string | null;
}

const PAGE_ROWS = 1000;
const BEFORE_THE_FIRST_ID = "-9223372036854775808";
/** A system user token has some tens of letters; far more than that is something else. */
const LONGEST_TOKEN = 1000;

/** The context identifier as SuperOffice writes it, `Cust12345`; undefined for what has another form. */
export function toContextIdentifier(text: string): string | undefined {
  const digits = text.match(/^cust(\d+)$/i)?.[1];
  return digits === undefined ? undefined : `Cust${digits}`;
}

/** Why this cannot be a system user token, as a sentence that does not repeat it; undefined when it can be one. */
export function faultOfToken(token: string): string | undefined {
  if (token.trim() === "") return "The standard input held no token.";
  if (token.length > LONGEST_TOKEN) return "What the standard input held is too long for a token.";
  if (/[\p{Cc}\u2028\u2029\ufffd]/u.test(token)) {
    return "The token holds a line break, a control character or bytes that are not UTF-8.";
  }
  if (token !== token.trim()) return "The token begins or ends with a blank.";
  return undefined;
}

/** Creates the table where it does not exist, and looks whether it has what the console needs. */
export async function createTable(schema: string, database: Database): Promise<void> {
  await explained(database.unsafe(schema), database);
  await explained(
    database`
      select id, context_identifier, system_user_token, is_active, last_sync, last_error
      from customers
      limit 0`,
    database,
  );
}

/** Streams all customers in pages, in the order of their ids; the first page comes even when it is empty. */
export async function* listCustomers(database: Database): AsyncGenerator<ListedCustomer[], void> {
  let lastId = BEFORE_THE_FIRST_ID;
  while (true) {
    const page: ListedCustomer[] = await explained(
      database<ListedCustomer[]>`
        select id, context_identifier as "contextIdentifier", is_active as "isActive",
          last_sync as "lastSync", last_error as "lastError"
        from customers
        where id > ${lastId}::bigint
        order by id
        limit ${PAGE_ROWS}`,
      database,
    );
    yield page;
    if (page.length < PAGE_ROWS) return;
    lastId = page[page.length - 1]!.id;
  }
}

// Context identifiers are compared without regard to case (PROTOCOL.md §1). Each of the following gives the
// customers concerned as their rows name them: none when there is no such customer.

/** Whether there is such a customer, and how its row names it. */
export async function findCustomer(customer: string, database: Database): Promise<string[]> {
  return await names(
    database<Named[]>`
      select context_identifier as name from customers
      where lower(context_identifier) = lower(${customer})`,
    database,
  );
}

/** Adds a customer; none when it exists already. */
export async function addCustomer(
  customer: string,
  token: string,
  database: Database,
): Promise<string[]> {
  return await names(
    database<Named[]>`
      insert into customers (context_identifier, system_user_token)
      select ${customer}::text, ${token}::text
      where not exists (
        select from customers where lower(context_identifier) = lower(${customer})
      )
      returning context_identifier as name`,
    database,
  );
}

/** Stores a new token, and has the console try the customer at its next poll. */
export async function replaceToken(
  customer: string,
  token: string,
  database: Database,
): Promise<string[]> {
  return await names(
    database<Named[]>`
      update customers set system_user_token = ${token}, is_active = true, last_error = null
      where lower(context_identifier) = lower(${customer})
      returning context_identifier as name`,
    database,
  );
}

/** Has the console leave the customer alone. */
export async function pauseCustomer(customer: string, database: Database): Promise<string[]> {
  return await names(
    database<Named[]>`
      update customers set is_active = false
      where lower(context_identifier) = lower(${customer})
      returning context_identifier as name`,
    database,
  );
}

/** Has the console take the customer again, at its next poll: without an error there is nothing to wait for. */
export async function resumeCustomer(customer: string, database: Database): Promise<string[]> {
  return await names(
    database<Named[]>`
      update customers set is_active = true, last_error = null
      where lower(context_identifier) = lower(${customer})
      returning context_identifier as name`,
    database,
  );
}

/** Removes the customer and its token. */
export async function removeCustomer(customer: string, database: Database): Promise<string[]> {
  return await names(
    database<Named[]>`
      delete from customers
      where lower(context_identifier) = lower(${customer})
      returning context_identifier as name`,
    database,
  );
}

interface Named {
  name: string;
}

async function names(query: PromiseLike<Named[]>, database: Database): Promise<string[]> {
  return (await explained(query, database)).map(({ name }) => name);
}

async function explained<T>(query: PromiseLike<T>, database: Database): Promise<T> {
  try {
    return await query;
  } catch (cause) {
    throw explainDatabaseError(cause, database);
  }
}

type Cells = [customer: string, state: string, lastSync: string, lastError: string];

const HEADER: Cells = ["customer", "state", "last sync", "last error"];
const GAP = "  ";
const ERROR_LETTERS = 60;
const FEWEST_ERROR_LETTERS = 20;

/**
 * Gives the table as text, a page at a time. The columns are as wide as the first page needs.
 *
 * @param columns the terminal's width, which cuts the last error; undefined in a pipe, where 60 letters stay
 */
export async function* formatCustomers(
  pages: AsyncIterable<ListedCustomer[]>,
  columns: number | undefined,
  redact: Redact,
): AsyncGenerator<string, void> {
  let format: ((cells: Cells) => string) | undefined;
  for await (const page of pages) {
    const rows = page.map((customer) => cellsOf(customer, redact));
    if (format === undefined) {
      rows.unshift(HEADER);
      format = createLineFormat(rows, columns);
    }
    yield rows.map(format).join("");
  }
}

function cellsOf(customer: ListedCustomer, redact: Redact): Cells {
  return [
    escapeControls(customer.contextIdentifier),
    customer.isActive ? "active" : "paused",
    toMinutes(customer.lastSync),
    // Hidden before it is cut: half a secret is not recognised.
    escapeControls(redact(customer.lastError ?? "")),
  ];
}

function createLineFormat(rows: Cells[], columns: number | undefined): (cells: Cells) => string {
  const widthOf = (column: 0 | 1 | 2) => Math.max(...rows.map((row) => lettersOf(row[column])));
  const [customerWidth, stateWidth, syncWidth] = [widthOf(0), widthOf(1), widthOf(2)];
  const before = customerWidth + stateWidth + syncWidth + 3 * GAP.length;
  const most = columns === undefined
    ? ERROR_LETTERS
    : Math.max(columns - before, FEWEST_ERROR_LETTERS);
  return ([customer, state, lastSync, lastError]) =>
    [
      pad(customer, customerWidth),
      pad(state, stateWidth),
      pad(lastSync, syncWidth),
      cut(lastError, most),
    ].join(GAP).trimEnd() + "\n";
}

function toMinutes(date: Date | null): string {
  if (date === null) return "never";
  return Number.isNaN(date.getTime()) ? "?" : `${date.toISOString().slice(0, 16)}Z`;
}

const NAMED_CONTROLS: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** What could move the cursor, colour or reorder a line is written as its code. */
function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (letter) =>
      NAMED_CONTROLS[letter] ??
        `\\u${letter.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - lettersOf(text)));
}

function cut(text: string, most: number): string {
  return lettersOf(text) <= most ? text : `${[...text].slice(0, most - 1).join("")}…`;
}

function lettersOf(text: string): number {
  return [...text].length;
}
