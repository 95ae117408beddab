import { ExplainedError } from "../superoffice/errors.ts";
import { cutBetweenWords } from "../superoffice/http.ts";
import { WorkError } from "./errors.ts";

/** A script may quote a whole answer. */
export const MOST_LETTERS = 2000;

/** What a work script threw: as it is where its `fetch` gave it, else with the script's line. */
export function toWorkError(cause: unknown, fileName: string): ExplainedError {
  return cause instanceof ExplainedError ? cause : failureOf("failed", cause, fileName);
}

/** What failed in a promise or a callback that a work script did not wait for. */
export function toStrayError(cause: unknown, fileName: string): WorkError {
  const how = "did not wait for something that failed (is an await missing?)";
  return failureOf(how, cause, fileName);
}

/** Whether the script's file is named where an error came about. */
export function comesFrom(fileName: string, error: unknown): boolean {
  return placeOf(error, fileName) !== undefined;
}

function failureOf(how: string, cause: unknown, fileName: string): WorkError {
  const place = placeOf(cause, fileName);
  const where = place === undefined ? "" : ` at ${place}`;
  const what = cutBetweenWords(reasonsOf(cause), MOST_LETTERS);
  return new WorkError(`The work script ${how}${where}: ${what}`, { cause });
}

/** The script's line, as in `sync.ts:12`. */
export function placeOf(error: unknown, fileName: string): string | undefined {
  // A frame of eval, as who interrupts a script makes one, bears no line of the source.
  const stack = error instanceof Error ? String(error.stack).replace(/^.*\(eval at .*$/gm, "") : "";
  const name = fileName.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return stack.match(new RegExp(`(?<=[/\\\\])${name}:\\d+`))?.[0];
}

/** An error's message with those of its causes that it does not quote: `fetch` hides its reason there. */
function reasonsOf(error: unknown): string {
  if (!(error instanceof Error)) return textOf(error);
  const messages: string[] = [];
  for (
    let at: unknown = error, depth = 0;
    at instanceof Error && depth < 5;
    at = at.cause, depth++
  ) {
    // An attempt at several addresses says nothing itself.
    const { message, code } = at.message ? at : (at as AggregateError).errors?.[0] ?? at;
    const reason = textOf(message || code || at.name);
    if (!messages.some((earlier) => earlier.includes(reason))) messages.push(reason);
  }
  return messages.join(": ");
}

/** Anything can be thrown, even what cannot be made a text. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return "an object that is no error was thrown";
  }
}
