// Properties: what must hold for any input, tried with many.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";

/** How many inputs each property is given. */
const RUNS = Number(process.env["PROPERTY_RUNS"] ?? 100);
/** The same number gives the same inputs. */
const SEED = Number(process.env["PROPERTY_SEED"] ?? 20260102);
/** Far more than any input takes, also on a slow day; what grows faster than its text takes longer. */
const GUARD_MS = 4000;

/**
 * Tests that `holds` fails for no input. A failure says the seed and the smallest input that was found.
 *
 * @param share the part of the inputs that it is given, for one that takes long
 */
export function property<T>(
  name: string,
  inputs: fc.Arbitrary<T>,
  holds: (input: T) => unknown,
  { share = 1 } = {},
): void {
  test(name, async () => {
    const checked = fc.asyncProperty(inputs, async (input) => {
      const begin = performance.now();
      await holds(input);
      const ms = performance.now() - begin;
      assert.ok(ms < GUARD_MS, `it took ${Math.round(ms)} ms`);
    });
    const numRuns = Math.ceil(RUNS * share);
    await fc.assert(checked, { numRuns, seed: SEED, includeErrorInReport: true });
  });
}

interface ExplainedError extends Error {
  code: string;
  remedy: string;
}

/** Gives the error of work that may fail with these codes alone; undefined when it did not fail. */
export async function errorOf(
  work: () => unknown,
  ...codes: string[]
): Promise<ExplainedError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.ok(error instanceof Error, `it threw ${String(error)}`);
    const { code, remedy, message, stack } = error as ExplainedError;
    assert.ok(codes.includes(code) && remedy && message, `not documented: ${stack}`);
    return error as ExplainedError;
  }
}

const ODD_SIGNS = "\0\n\r\t\v\f\x1b\x7f\x85\u2028\u2029\u202e\u2066\u200b\ufeff\ud800\udc00\u212a";

/** Short texts, with what breaks lines, hides, ends quotes, or means something to a program. */
export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.array(fc.constantFrom(...ODD_SIGNS, ..."<>{}[]()\"'\\/.,:;%$&?#@ -+=7T1eaA"), {
    maxLength: 12,
  }).map((signs) => signs.join("")),
  fc.constantFrom("__proto__", "constructor", "toString", "null", "NaN", "1e999", "-0", "ﬀİ"),
);

/** A text of few signs again and again: what it begins with, what is repeated, what it ends with. */
export type Repeated = [start: string, unit: string, end: string];

/** Not made smaller: each try would take as long as the first. */
export const repeatedText: fc.Arbitrary<Repeated> = fc.noShrink(fc.tuple(
  fc.constantFrom("", "x", '"', "<", "https://sod.superoffice.com/", "postgres://a:"),
  fc.oneof(
    fc.constantFrom(..." /\n-<>\\.:@\"'=%", "<D>", "eyJ", "-eyJ", "7T:", "7T:\\/", "-----", "\\n"),
    fc.constantFrom("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "PRIVATE KEY", ".202601020304."),
    fc.constantFrom("1", "A", ".1", "%41", "a b", "[", '{"a":', "<a>", "A/"),
    oddText.filter((unit) => unit !== ""),
  ),
  fc.constantFrom("", "x", "@", ">", "-----", '"'),
));

/** Writes it out, with so many letters that work which grows with their square is found out. */
export function written([start, unit, end]: Repeated): string {
  return start + unit.repeat(Math.ceil(100_000 / unit.length)) + end;
}
