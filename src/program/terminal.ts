// What a person, or a pipe, is asked for.
import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** More than any token, and little enough to hold. */
const INPUT_LETTERS = 65_536;
/** A system user token has some tens of letters; far more than that is something else. */
const LONGEST_TOKEN = 1000;

/** Reads the standard input to its end, or as much of it as a token could take. */
export async function readInput(): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of process.stdin) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > INPUT_LETTERS) break;
  }
  return text + decoder.decode();
}

/** Asks on the terminal. Gives undefined when Ctrl-C or Ctrl-D is the answer. */
export async function ask(
  question: string,
  { isSecret = false } = {},
): Promise<string | undefined> {
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

/** Why this cannot be a system user token, as a sentence that does not repeat it; undefined when it can be one. */
export function faultOfToken(token: string): string | undefined {
  if (token.trim() === "") return "The standard input held no token.";
  if (token.length > LONGEST_TOKEN) return "What the standard input held is too long for a token.";
  if (/[\p{Cc}\u2028\u2029\ufffd]/u.test(token)) {
    return "The token holds a line break, a control character or bytes that are not UTF-8.";
  }
  if (token !== token.trim()) return "The token begins or ends with a blank.";
  if (/^["']|["']$/.test(token)) return "The token stands in quotation marks: leave them out.";
  return undefined;
}
