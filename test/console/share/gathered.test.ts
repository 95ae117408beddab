import assert from "node:assert/strict";
import { test } from "node:test";
import { gathered } from "../../../src/console/share/gathered.ts";

/** Answers each key that is no x with itself doubled, and notes what was asked. */
function createAsk() {
  const asked: string[][] = [];
  const ask = (keys: string[]) => {
    asked.push(keys);
    const known = keys.filter((key) => key !== "x");
    return Promise.resolve(new Map(known.map((key) => [key, key + key])));
  };
  return { asked, ask };
}

test("what is asked for within a moment goes together, each key once, and each gets its own answer", async () => {
  const { asked, ask } = createAsk();
  const question = gathered(ask, 5);
  const answers = await Promise.all(["a", "b", "a", "x"].map(question));
  assert.deepEqual(answers, ["aa", "bb", "aa", undefined]);
  assert.deepEqual(asked, [["a", "b", "x"]]);
});

test("what is asked for later goes by itself, also while the first has no answer", async () => {
  const { asked, ask } = createAsk();
  let answer = () => {};
  const answered = new Promise<void>((resolve) => answer = resolve);
  let began = () => {};
  const begun = new Promise<void>((resolve) => began = resolve);
  const question = gathered(async (keys) => {
    began();
    await answered;
    return await ask(keys);
  }, 1);
  const first = question("a");
  await begun;
  const second = question("b");
  answer();
  assert.deepEqual(await Promise.all([first, second]), ["aa", "bb"]);
  assert.deepEqual(asked, [["a"], ["b"]]);
});

test("a question that fails fails for all who asked, and for nobody later", async () => {
  const { ask } = createAsk();
  let fails = true;
  const question = gathered((keys) => {
    if (fails) throw new Error("no answer");
    return ask(keys);
  }, 1);
  const outcomes = await Promise.allSettled([question("a"), question("b")]);
  assert.deepEqual(outcomes.map(({ status }) => status), ["rejected", "rejected"]);
  fails = false;
  assert.equal(await question("a"), "aa");
});
