import type { Explanation } from "../console/wanted.ts";
import { ADVICE } from "./advice.ts";
import { UnexpectedError } from "./errors.ts";

/** Says what happened and what to do, for the message `{problem}. {remedy} [{code}]`. Secrets are still in it. */
export function explain(error: unknown): Explanation {
  const explained = isExplained(error) ? error : unexpected(error);
  const { message, code } = explained;
  return { problem: inThisRuntime(message), remedy: inThisRuntime(remedyOf(explained)), code };
}

/** What to do about an error: its own remedy, and where that is set here. */
export function remedyOf(error: Error & { code: string; remedy: string }): string {
  const here = ADVICE[error.code]?.here ?? "";
  return `${error.remedy} ${typeof here === "string" ? here : here(error)}`.trimEnd();
}

/** Commands as they are typed where the program runs. */
export function inThisRuntime(text: string): string {
  return "Deno" in globalThis
    ? text.replace(/npm run (?:--silent )?(customers|doctor)( --)?/g, "deno task $1")
    : text;
}

/** Errors are known by what they say, not by a class: each room has its own. */
function isExplained(error: unknown): error is Error & { code: string; remedy: string } {
  return error instanceof Error && "code" in error && "remedy" in error;
}

function unexpected(error: unknown): UnexpectedError {
  return new UnexpectedError(messageOf(error), { cause: error });
}

/** Anything can be thrown, even what cannot be made a text. */
function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error);
  } catch {
    return "an object that is no error was thrown";
  }
}
