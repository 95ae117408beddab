import assert from "node:assert/strict";
import process from "node:process";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createDesk, type Desk } from "../../src/approve/desk.ts";
import type { Settle } from "../../src/approve/settle.ts";
import { CustomerExistsError } from "../../src/approve/errors.ts";
import { DatabaseError, mayBeDone } from "../../src/database/connection.ts";
import { createSecrets } from "../../src/program/knownSecrets.ts";
import { createRedact } from "../../src/program/redact.ts";
import { CodeRefusedError } from "../../src/superoffice/errors.ts";

const SECRETS = ["a-code-good-once-1", "a-verifier-of-pkce-1", "System-token-of-theirs"];

describe("where approvals are dealt with", () => {
  const secrets = createSecrets(["the-client-secret"]);
  const streams = [process.stdout, process.stderr];
  const writes = streams.map((stream) => stream.write);
  let nowMs = 0;
  let names = 0;
  let said: string;

  beforeEach(() => {
    said = "";
    for (const [at, stream] of streams.entries()) {
      // What the test runner says goes its way.
      stream.write = ((text: unknown, ...more: unknown[]) => {
        const done = more.at(-1);
        if (typeof text !== "string" || typeof done !== "function") {
          return (writes[at] as (...all: unknown[]) => boolean).call(stream, text, ...more);
        }
        said += text;
        done();
        return true;
      }) as typeof stream.write;
    }
  });
  afterEach(() => streams.forEach((stream, at) => stream.write = writes[at]!));

  function createDeskWith(settle: Partial<Settle>, isKeptOpen = false) {
    const ask = () =>
      Promise.resolve({ address: "https://a/", state: `s${names++}`, nonce: "n", verifier: "v" });
    const discretion = { secrets, redact: createRedact(secrets) };
    const whole = { store: notHere, logOn: notHere, ...settle };
    return createDesk({ ask, settle: whole }, { isOwn: true, isKeptOpen }, discretion, () => nowMs);
  }

  /** Makes a request, to which an answer has come. */
  async function askAndAnswer({ ask, pendings }: Desk) {
    const { state } = await ask() as unknown as { state: string };
    const pending = pendings.ofState(state)!;
    pendings.put(pending, { values: new URLSearchParams(), id: state });
    return pending;
  }

  const lines = () => said.split("\n").slice(0, -1);

  test("what an approval brings is hidden in all that is said of it, and forgotten then", async () => {
    const desk = createDeskWith({
      store(_answer, _asked, learned) {
        for (const secret of SECRETS) learned.add(secret);
        return Promise.resolve({ failure: new CodeRefusedError(`It said ${SECRETS.join(", ")}`) });
      },
    });
    const page = await desk.settle(await askAndAnswer(desk));
    for (const text of [said, JSON.stringify(page)]) {
      assert.match(text, /It said \[secret\], \[secret\], \[secret\]/);
      assert.match(text, /For another try, start the same command again/);
    }
    assert.deepEqual(secrets.findIn(`${SECRETS} the-client-secret`), ["the-client-secret"]);
    assert.equal(await desk.first, false);
  });

  test("a row that is written is said before the log-on is tried, in a line without a secret", async () => {
    const approved = {
      contextIdentifier: "Cust10001",
      systemUserToken: SECRETS[2]!,
      companyName: `Company ${SECRETS[2]}\nof lines`,
    };
    let saidBefore: string[] = [];
    const desk = createDeskWith({
      store(_answer, _asked, learned) {
        learned.add(SECRETS[2]!);
        return Promise.resolve({ approved, stored: "added" });
      },
      logOn(outcome) {
        saidBefore = lines();
        return Promise.resolve({ ...outcome, associate: "The System User" });
      },
    });
    await desk.settle(await askAndAnswer(desk));
    assert.equal(saidBefore.length, 1);
    assert.match(saidBefore[0]!, /^Added Cust10001 \(Company \[secret\].*of lines\); /);
    assert.deepEqual(lines().slice(1), ["Logged on to context Cust10001 as The System User"]);
    assert.equal(await desk.first, true);
    assert.equal(desk.stored(), 1);
  });

  test("what was begun is waited for, what begins meanwhile too", async () => {
    const ends: (() => void)[] = [];
    const desk = createDeskWith({
      store: () =>
        new Promise((resolve) => ends.push(() => resolve({ failure: new CodeRefusedError("No") }))),
    }, true);
    void desk.settle(await askAndAnswer(desk));
    assert.equal(desk.inHand(), 1);
    let outcomes: number | undefined;
    const finishing = desk.finish().then((count) => outcomes = count);
    void desk.settle(await askAndAnswer(desk));
    ends[0]!();
    await desk.first;
    assert.equal(outcomes, undefined);
    ends[1]!();
    await finishing;
    assert.equal(outcomes, 2);
    assert.equal(desk.inHand(), 0);
    assert.match(lines()[0]!, /Another try goes by the same address/);
  });

  test("so many requests are made at once, then two a second, and nobody who is deciding is pushed out for it", async () => {
    const desk = createDeskWith({});
    const first = await askAndAnswer(desk);
    let made = 1;
    for (let second = 0; second < 3500; second++, nowMs += 1000) {
      while (await desk.ask() !== undefined) made++;
    }
    assert.equal(made, 100 + 2 * 3499);
    assert.equal(desk.pendings.ofState(first.state), first);
    nowMs += 100_000;
    assert.equal(desk.pendings.ofState(first.state), undefined);
  });

  test("refusals are said as they come, and those of a flood once a minute, with their number", () => {
    const desk = createDeskWith({});
    for (let times = 0; times < 50; times++) desk.tellRefused("unknown");
    assert.equal(lines().length, 20);
    nowMs += 60_000;
    for (let times = 0; times < 5; times++) desk.tellRefused("replayed");
    assert.equal(lines().length, 21);
    assert.match(lines()[20]!, /second time.*left out.*\(30 more such lines were left out since/);
    nowMs += 60_000;
    desk.tellRefused("unknown");
    assert.match(lines()[21]!, /nothing was done.*\(4 more such lines were left out since/);
  });

  test("that it is asked by another name is said, for whoever set up a web server in front", () => {
    const desk = createDeskWith({});
    desk.tellMisnamed("www.vendor.example");
    assert.match(said, /host «www\.vendor\.example».*refused \(status 421\)/);
  });

  test("what may be stored is not said to be missing, and who exists is not told to try again", async () => {
    const approved = {
      contextIdentifier: "Cust10001",
      systemUserToken: "t",
      companyName: undefined,
    };
    const noAnswer = new DatabaseError("no answer", "Look.", {
      cause: Object.assign(new Error("x"), { code: "QUERY_TIMEOUT" }),
    });
    assert.ok(mayBeDone(noAnswer));
    const failures = [
      { failure: noAnswer, mayBeStored: true },
      { failure: new CustomerExistsError("Cust10001 exists already") },
    ];
    const desk = createDeskWith({
      store: () => Promise.resolve({ approved, ...failures.shift()! }),
    });
    const unknown = await desk.settle(await askAndAnswer(desk));
    assert.match(unknown.title, /^Whether Cust10001 was stored is not known$/);
    assert.match(lines()[0]!, /^Whether Cust10001 was stored is not known/);
    const exists = await desk.settle(await askAndAnswer(desk));
    assert.equal(exists.title, "Nothing was stored");
    assert.match(lines()[1]!, /^Nothing was stored: .*with --replace added\. \[CUSTOMER_EXISTS\]$/);
  });

  test("what failed is said as sparingly, and refusals before it take nothing from that", async () => {
    const desk = createDeskWith({
      store: () => Promise.resolve({ failure: new CodeRefusedError("No tokens") }),
    }, true);
    for (let times = 0; times < 50; times++) desk.tellRefused("unknown");
    for (let times = 0; times < 50; times++) await desk.settle(await askAndAnswer(desk));
    assert.equal(
      lines().filter((line) => line.startsWith("Nothing was stored: No tokens")).length,
      20,
    );
  });
});

const notHere = () => Promise.reject(new Error("nothing is settled here"));
