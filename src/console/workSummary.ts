import { cutBetweenWords } from "../superoffice/http.ts";
import { WorkError } from "./errors.ts";
import { MOST_LETTERS } from "./workFailure.ts";

/** The summary in what a work script returned, where there is one. Throws {@link WorkError} when that cannot hold one. */
export function summaryOf(returned: unknown, fileName: string): string | undefined {
  if (returned === undefined || returned === null) return undefined;
  if (typeof returned !== "object" || Array.isArray(returned)) throw wrong(fileName, returned, "");
  const { summary } = returned as { summary?: unknown };
  if (summary === undefined || summary === null) {
    const [other] = Object.keys(returned).filter((name) => name !== "summary");
    if (other === undefined) return undefined;
    const name = JSON.stringify(cutBetweenWords(other, 80));
    throw wrong(fileName, returned, ` with ${name}, and without a summary`);
  }
  if (typeof summary !== "string") throw wrong(fileName, summary, " as its summary");
  return cutBetweenWords(summary, MOST_LETTERS);
}

function wrong(fileName: string, value: unknown, as: string): WorkError {
  return new WorkError(
    `The work script ${fileName} returned ${
      described(value)
    }${as}; expected is nothing, or { summary: "a text for the log" }`,
  );
}

function described(value: unknown): string {
  if (typeof value === "string") return `the text ${JSON.stringify(cutBetweenWords(value, 80))}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") return "an object";
  if (typeof value === "function") return "a function";
  return `the ${typeof value} ${String(value)}`;
}
