import type { ListedCustomer } from "../database/customerTable.ts";

/** The last one is the last error, which is cut. */
type Cells = string[];
const GAP = "  ";
const ERROR_LETTERS = 60;
const FEWEST_ERROR_LETTERS = 20;

/**
 * Gives the table as text, a page at a time; the last work and the calls (today / in 30 days) where the database keeps them. The columns are as wide as the first page needs.
 *
 * @param columns the terminal's width, which cuts the last error; undefined in a pipe, where 60 letters stay; Infinity for
 *   the whole
 */
export async function* formatCustomers(
  pages: AsyncIterable<ListedCustomer[]>,
  columns: number | undefined,
  redact: (text: string) => string,
): AsyncGenerator<string, void> {
  let format: ((cells: Cells) => string) | undefined;
  for await (const page of pages) {
    const rows = page.map((customer) => cellsOf(customer, redact));
    if (format === undefined) {
      rows.unshift(headerOf(page));
      format = createLineFormat(rows, columns);
    }
    yield rows.map(format).join("");
  }
}

/** Gives the table as JSON, a page at a time: an object a line, with the columns by their names. */
export async function* customersAsJson(
  pages: AsyncIterable<ListedCustomer[]>,
  redact: (text: string) => string,
): AsyncGenerator<string, void> {
  for await (const page of pages) {
    const lines = page.map((customer) =>
      JSON.stringify({
        context_identifier: redact(customer.contextIdentifier),
        is_active: customer.isActive,
        last_sync: customer.lastSync,
        last_work: customer.lastWork,
        calls_today: customer.callsToday,
        calls_30_days: customer.callsIn30Days,
        last_error: customer.lastError === null ? null : redact(customer.lastError),
      })
    );
    yield lines.map((line) => `${line}\n`).join("");
  }
}

function headerOf([first]: ListedCustomer[]): Cells {
  const work = first?.lastWork === undefined ? [] : ["last work"];
  const calls = first?.callsToday === undefined ? [] : ["calls"];
  return ["customer", "state", "last sync", ...work, ...calls, "last error"];
}

function cellsOf(customer: ListedCustomer, redact: (text: string) => string): Cells {
  return [
    redact(customer.contextIdentifier),
    customer.isActive ? "active" : "paused",
    toMinutes(customer.lastSync),
    ...(customer.lastWork === undefined ? [] : [toMinutes(customer.lastWork)]),
    ...(customer.callsToday === undefined
      ? []
      : [`${customer.callsToday} / ${customer.callsIn30Days}`]),
    // Hidden before it is cut: half a secret is not recognised.
    redact(customer.lastError ?? ""),
  ];
}

function createLineFormat(rows: Cells[], columns: number | undefined): (cells: Cells) => string {
  const widths = rows[0]!.slice(0, -1).map((_, column) =>
    Math.max(...rows.map((row) => lettersOf(row[column]!)))
  );
  const before = widths.reduce((sum, width) => sum + width + GAP.length, 0);
  const most = columns === undefined
    ? ERROR_LETTERS
    : Math.max(columns - before, FEWEST_ERROR_LETTERS);
  return (cells) =>
    cells.map((cell, column) => {
      const width = widths[column];
      return width === undefined ? cut(cell, most) : pad(cell, width);
    }).join(GAP).trimEnd() + "\n";
}

function toMinutes(date: Date | null): string {
  if (date === null) return "never";
  return Number.isNaN(date.getTime()) ? "?" : `${date.toISOString().slice(0, 16)}Z`;
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
