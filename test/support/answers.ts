// Texts, JSON and answers that are near right ones, or far from it.
import fc from "fast-check";
import type { HttpAnswer, Send } from "../../src/superoffice/http.ts";
import { oddText } from "./property.ts";

/** The codes of an answer whose status is another than 200. */
export const STATUS_CODES = [
  "UNEXPECTED_STATUS",
  "SERVICE_BUSY",
  "REDIRECT_REFUSED",
  "LOGIN_HOST_REFUSED",
  "FORBIDDEN",
  "NOT_FOUND",
];

/** What JSON holds for its name in parentheses: too much of something. */
const HUGE: Record<string, string> = {
  "deep list": "[".repeat(20_000) + "]".repeat(20_000),
  "deep object": '{"a":'.repeat(20_000) + "1" + "}".repeat(20_000),
  "brackets": "[".repeat(100_000),
  "many": `[${"0,".repeat(20_000)}0]`,
  "long": `"${"x".repeat(20_000)}"`,
};
const huge = fc.constantFrom(...Object.keys(HUGE)).map((name) =>
  `(${name})`
); /** Writes out what its name stands for. */
export const writeHuge = (json: string) =>
  json.replace(/"\(([a-z ]+)\)"/g, (text, name: string) => HUGE[name] ?? text);

const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.jsonValue() },
  { weight: 4, arbitrary: oddText },
  { weight: 4, arbitrary: fc.constantFrom(null, true, false, 0, -1, 1e21, 1e308, "", [], {}) },
  fc.oneof(huge, fc.tuple(huge)),
);

/** JSON near a right one: fields left out, added, and with other values. */
export function near(right: Record<string, unknown>): fc.Arbitrary<string> {
  const fields = Object.entries(right).map(([name, value]) => [
    name,
    fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, anyValue),
  ]);
  return fc.tuple(
    fc.record(Object.fromEntries(fields), { requiredKeys: [] }),
    fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, fc.dictionary(oddText, anyValue)),
  ).map(([known, more]) => JSON.stringify({ ...more, ...known }));
}

/** Any JSON but an object, and what is no JSON. */
export const otherText = fc.oneof(oddText, fc.json(), huge.map((name) => `"${name}"`));

/** An answer, shown as short as it is made up. */
export interface Answered {
  status: number;
  headers: HttpAnswer["headers"];
  body: string | Uint8Array;
}

/** `Date` and `Retry-After`, in their own form and in any. */
export const headers: fc.Arbitrary<HttpAnswer["headers"]> = fc.record({
  "date": fc.oneof(oddText, fc.constant("Fri, 02 Jan 2026 03:04:05 GMT"), fc.date().map(String)),
  "retry-after": fc.oneof(
    oddText,
    fc.array(oddText, { maxLength: 2 }),
    fc.bigInt({ min: 0n }).map(String),
    fc.nat({ max: 400 }).map((digits) => "9".repeat(digits)),
    fc.date().map(String),
  ),
}, { requiredKeys: [] });

/** Answers of any status and body, mostly near the right one. */
export function answers(near: fc.Arbitrary<string>): fc.Arbitrary<Answered> {
  const ok = fc.constant(200);
  return fc.record({
    status: fc.oneof({ weight: 6, arbitrary: ok }, fc.integer({ min: 100, max: 599 })),
    headers,
    body: fc.oneof({ weight: 8, arbitrary: near }, fc.uint8Array(), otherText),
  });
}

export function answerOf({ status, headers, body }: Answered): HttpAnswer {
  const bytes = typeof body === "string" ? new TextEncoder().encode(writeHuge(body)) : body;
  return { purpose: "the test", host: "sod.superoffice.com", status, headers, bytes };
}

/** A transport that has one answer to everything. */
export function sender(answered: Answered | string): Send {
  const answer = answerOf(
    typeof answered === "string" ? { status: 200, headers: {}, body: answered } : answered,
  );
  return () => Promise.resolve(answer);
}

/** A few changes to a text: parts cut out, repeated, exchanged for others. */
export function changed(text: string, other: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.tuple(
    fc.nat({ max: text.length }),
    fc.oneof(fc.constantFrom(0, 1, 2), fc.nat({ max: text.length })),
    fc.oneof(
      other.map((other) => () => other),
      fc.constantFrom(
        () => "",
        (part: string) => part + part,
        (part: string) => part.toLowerCase(),
      ),
    ),
  );
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) =>
    changes.reduce(
      (text, [at, length, replace]) =>
        text.slice(0, at) + replace(text.slice(at, at + length)) + text.slice(at + length),
      text,
    )
  );
}
