import * as wireErrors from "../superoffice/errors.ts";
import { ADVICE, DATABASE_CAUSES } from "./advice.ts";
import { HELP } from "./commandLine.ts";

/** Of the sentences that stand elsewhere in the program, what somebody could take for a secret, or what is said every day. */
const MORE_WORDS =
  "logged skipped stopped reused exchanged called signed done seconds session sessions result results sync waiting " +
  "connections encrypted service production company public security history administrator " +
  "Poll Logged Logging Stopped Stopping Added Stored Paused Resumed Removed";

/** What the program says to everybody. */
const ownTexts = [HELP, MORE_WORDS, JSON.stringify([ADVICE, DATABASE_CAUSES])]
  .concat(Object.values(wireErrors).map(({ remedy }) => remedy))
  .join("\n");

/**
 * Whether letters alone stand in what the program says to everybody, as `password` and `postgres` do. Hiding them could not keep
 * them secret: in a sentence that everybody knows, the gap tells what it hides.
 */
export function isOwnWord(text: string): boolean {
  return /^\p{L}+$/u.test(text) && ownTexts.includes(text);
}
