// What a console's lines tell of its polls.
import assert from "node:assert/strict";
import type { Tenant } from "../../fixtures/standIn.ts";

/**
 * That each poll logged on to these tenants, those aside whom it found still in hand: a machine can be slow. None is in
 * hand so often that it misses every second poll.
 */
export function assertNobodyMissed(output: string, tenants: Tenant[]): void {
  const polls = [
    ...output.matchAll(/Poll done .* (\d+) logged on.*?(?:, (\d+) still in hand.*)?$/gm),
  ];
  assert.ok(polls.length > 0);
  for (const [line, loggedOn, stillInHand = 0] of polls) {
    assert.ok(Number(loggedOn) + Number(stillInHand) >= tenants.length, line);
  }
  for (const { contextIdentifier } of tenants) {
    const times = count(output, new RegExp(`Logged on to context ${contextIdentifier} `));
    assert.ok(2 * times >= polls.length, `${contextIdentifier} was logged on ${times} times only`);
  }
}

/** How many lines match. */
export function count(text: string, pattern: RegExp): number {
  return text.split("\n").filter((line) => pattern.test(line)).length;
}
