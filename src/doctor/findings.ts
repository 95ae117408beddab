import { ADVICE, DATABASE_CAUSES } from "../program/advice.ts";
import { SettingsError } from "../program/errors.ts";
import { explain } from "../program/explain.ts";
import { printable } from "../program/printable.ts";

/** What one check of the doctor found. */
export interface Finding {
  check: string;
  verdict: "passed" | "failed" | "skipped";
  text: string;
  /** What stands below it, a line each. */
  details: string[];
}

/** What a check that was made found, and what later checks need from it. */
export interface Found<T> {
  value: T;
  text: string;
  details?: string[];
  /** What is wrong all the same. */
  fault?: Error | undefined;
}

type Present<N> = { [K in keyof N]-?: Exclude<N[K], undefined> };

/**
 * Makes a check, when all is there that it needs; else it is skipped, and says what it lacks. Yields the finding, and gives
 * what later checks need from it, undefined when it failed.
 *
 * @param needs by the name of the check, made before, that it comes from; undefined when that failed
 * @param run throws the error that explains why the check failed
 */
export async function* check<N extends Record<string, unknown>, T>(
  name: string,
  needs: N,
  run: (needs: Present<N>) => Found<T> | Promise<Found<T>>,
): AsyncGenerator<Finding, T | undefined> {
  const lacking = Object.keys(needs).filter((need) => needs[need] === undefined);
  if (lacking.length > 0) {
    const text = `not checked, since it needs: ${lacking.join(", ")}`;
    yield { check: name, verdict: "skipped", text, details: [] };
    return undefined;
  }
  try {
    const { value, text, details = [], fault } = await run(needs as Present<N>);
    if (fault === undefined) yield { check: name, verdict: "passed", text, details };
    else yield failed(name, fault);
    return value;
  } catch (error) {
    yield failed(name, error);
    return undefined;
  }
}

/** The finding for an error: what was found, with its code, the likely causes and the next step. */
export function failed(name: string, error: unknown): Finding {
  const { problem, remedy, code } = explain(error);
  const faults = error instanceof SettingsError ? error.faults : [];
  const likely = likelyCausesOf(error, code);
  return {
    check: name,
    verdict: "failed",
    text: `${faults.length > 0 ? "The settings are not right" : problem} [${code}]`,
    details: [
      ...faults,
      ...(likely === undefined ? [] : [`Likely: ${likely}.`]),
      ...`Next step: ${remedy}`.split("\n"),
    ],
  };
}

function likelyCausesOf(error: unknown, code: string): string | undefined {
  const { code: below = "" } = ((error as Error).cause ?? {}) as { code?: string };
  return ADVICE[code]?.likely ??
    (code === "DATABASE_TROUBLE" ? DATABASE_CAUSES[below] : undefined);
}

const MARKS = { passed: "✓", failed: "✗", skipped: "–" };

/** A finding as it is printed: a line, and its details indented below. A text that came from outside breaks no line. */
export function formatFinding({ check, verdict, text, details }: Finding): string {
  const lines = [`${MARKS[verdict]} ${check}: ${text}`, ...details].map(printable);
  return lines.map((line, index) => index === 0 ? `${line}\n` : `    ${line}\n`).join("");
}
