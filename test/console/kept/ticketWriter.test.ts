import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { createTicketWriter, type TicketWriter } from "../../../src/console/kept/ticketWriter.ts";

let written: string[][];
let writer: TicketWriter;
/** What the database does with a batch. */
let answer: () => Promise<string[] | undefined>;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  written = [];
  answer = () => Promise.resolve([]);
  writer = createTicketWriter((names) => {
    written.push(names);
    return answer();
  });
});
afterEach(() => mock.timers.reset());

/** Lets so much time pass, and everything happen that is due then. */
async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function addMany(count: number, urgent: boolean): void {
  for (let id = 1; id <= count; id++) writer.add(`Cust${id}`, urgent);
}

const sizes = () => written.map(({ length }) => length);

describe("tickets are written", () => {
  test("together, a quarter of a second after the first that is new", async () => {
    writer.add("Cust1", true);
    await pass(200);
    writer.add("Cust2", true);
    writer.add("Cust1", true);
    await pass(49);
    assert.deepEqual(written, []);
    await pass(1);
    assert.deepEqual(written, [["Cust1", "Cust2"]]);
    await pass(60_000);
    assert.deepEqual(sizes(), [2]);
  });

  test("after five seconds where none is new, and sooner when a new one comes", async () => {
    writer.add("Cust1", false);
    await pass(4999);
    assert.deepEqual(written, []);
    await pass(1);
    writer.add("Cust2", false);
    await pass(1000);
    writer.add("Cust3", true);
    await pass(250);
    assert.deepEqual(written, [["Cust1"], ["Cust2", "Cust3"]]);
  });

  test("a thousand at a time, at once", async () => {
    addMany(2500, false);
    await pass(0);
    assert.deepEqual(sizes(), [1000, 1000]);
    await pass(5000);
    assert.deepEqual(sizes(), [1000, 1000, 500]);
  });

  test("one batch after the other; what comes meanwhile gathers, one entry a customer", async () => {
    let end = (_left: string[]) => {};
    answer = () => new Promise((resolve) => end = resolve);
    writer.add("Cust1", true);
    await pass(250);
    for (let time = 0; time < 5; time++) addMany(3, true);
    await pass(60_000);
    assert.deepEqual(written, [["Cust1"]]);
    answer = () => Promise.resolve([]);
    end([]);
    await pass(0);
    await pass(250);
    assert.deepEqual(written, [["Cust1"], ["Cust1", "Cust2", "Cust3"]]);
  });

  test("again five seconds later where they could not be, however many come meanwhile", async () => {
    answer = () => Promise.resolve(undefined);
    addMany(1000, true);
    await pass(0);
    addMany(3000, true);
    await pass(4999);
    assert.deepEqual(sizes(), [1000]);
    await pass(1);
    assert.deepEqual(sizes(), [1000, 1000]);
    answer = () => Promise.resolve([]);
    await pass(5000);
    assert.deepEqual(sizes(), [1000, 1000, 1000, 1000, 1000]);
    assert.equal(new Set(written.slice(2).flat()).size, 3000);
  });

  test("again soon, five times, and then every five seconds where somebody holds one, which holds up no other", async () => {
    answer = () => Promise.resolve(["Cust2"]);
    addMany(3, true);
    await pass(250);
    writer.add("Cust4", true);
    await pass(100);
    assert.deepEqual(written, [["Cust1", "Cust2", "Cust3"], ["Cust2", "Cust4"]]);
    for (let time = 0; time < 3; time++) await pass(100);
    assert.deepEqual(written.slice(2), [["Cust2"], ["Cust2"], ["Cust2"]]);
    await pass(4999);
    assert.equal(written.length, 5);
    await pass(1);
    assert.deepEqual(written.slice(5), [["Cust2"]]);
    writer.add("Cust5", true);
    await pass(250);
    assert.deepEqual(written.slice(6), [["Cust2", "Cust5"]]);
    answer = () => Promise.resolve([]);
    await pass(5000);
    await pass(60_000);
    assert.deepEqual(written.slice(7), [["Cust2"]]);
  });

  test("at the end all but what somebody holds for longer than half a second", async () => {
    answer = () => Promise.resolve(written.length < 3 ? ["Cust2", "Cust3"] : ["Cust3"]);
    addMany(3, true);
    const flushed = writer.flush();
    for (let time = 0; time < 10; time++) await pass(100);
    await flushed;
    assert.deepEqual(written.slice(0, 4), [
      ["Cust1", "Cust2", "Cust3"],
      ["Cust2", "Cust3"],
      ["Cust2", "Cust3"],
      ["Cust3"],
    ]);
    const { length } = written;
    await pass(60_000);
    assert.equal(written.length, length);
  });

  test("at a poll's end without waiting, where one is new", async () => {
    writer.add("Cust1", false);
    await writer.writeUrgent();
    assert.deepEqual(written, []);
    writer.add("Cust2", true);
    await writer.writeUrgent();
    assert.deepEqual(written, [["Cust1", "Cust2"]]);
  });

  test("at the end all that is left, which is tried once where it cannot be", async () => {
    addMany(1500, false);
    await writer.flush();
    assert.deepEqual(sizes(), [1000, 500]);
    answer = () => Promise.resolve(undefined);
    writer.add("Cust1", true);
    await writer.flush();
    await pass(60_000);
    assert.deepEqual(sizes(), [1000, 500, 1]);
  });
});
