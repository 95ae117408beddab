import assert from "node:assert/strict";
import process from "node:process";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createDesk } from "../../src/approve/desk.ts";
import type { Settle } from "../../src/approve/settle.ts";
import { refusal } from "../../src/approve/site.ts";
import { createSecrets } from "../../src/program/knownSecrets.ts";
import { createRedact } from "../../src/program/redact.ts";
import { CodeRefusedError } from "../../src/superoffice/errors.ts";

const SECRETS = ["a-code-good-once-1", "a-verifier-of-pkce-1", "System-token-of-theirs"];
const ANSWER = new URLSearchParams();

describe("where approvals are dealt with", () => {
  const secrets = createSecrets(["the-client-secret"]);
  const write = process.stderr.write;
  let nowMs = 0;
  let names = 0;
  let said: string;

  beforeEach(() => {
    said = "";
    process.stderr.write = ((text: string, done?: () => void) => {
      said += text;
      done?.();
      return true;
    }) as typeof process.stderr.write;
  });
  afterEach(() => void (process.stderr.write = write));

  function createDeskWith(settle: Settle) {
    const ask = () =>
      Promise.resolve({ address: "https://a/", state: `s${names++}`, nonce: "n", verifier: "v" });
    const discretion = { secrets, redact: createRedact(secrets) };
    return createDesk({ ask, settle }, true, discretion, () => nowMs);
  }

  test("what an approval brings is hidden in all that is said of it, and forgotten then", async () => {
    const desk = createDeskWith((_answer, _asked, learned) => {
      for (const secret of SECRETS) learned.add(secret);
      return Promise.resolve({ failure: new CodeRefusedError(`It said ${SECRETS.join(", ")}`) });
    });
    const { state } = await desk.ask() as unknown as { state: string };
    const page = await desk.settle(ANSWER, desk.pendings.ofState(state)!);
    for (const text of [said, JSON.stringify(page)]) {
      assert.match(text, /It said \[secret\], \[secret\], \[secret\]/);
    }
    assert.deepEqual(secrets.findIn(`${SECRETS} the-client-secret`), ["the-client-secret"]);
    assert.equal(await desk.first, false);
  });

  test("refusals are said as they come, and those of a flood once a minute, with their number", () => {
    const desk = createDeskWith(() => Promise.reject(new Error("nothing is settled here")));
    const lines = () => said.split("\n").slice(0, -1);
    for (let times = 0; times < 50; times++) desk.tellRefused(refusal("unknown"));
    assert.equal(lines().length, 20);
    nowMs += 60_000;
    for (let times = 0; times < 5; times++) desk.tellRefused(refusal("replayed"));
    assert.equal(lines().length, 21);
    assert.match(lines()[20]!, /second time.*nothing was done \(30 more were refused since/);
    nowMs += 60_000;
    desk.tellRefused(refusal("unknown"));
    assert.match(lines()[21]!, /nothing was done \(4 more were refused since/);
  });
});
