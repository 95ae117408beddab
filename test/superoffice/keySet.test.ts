import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, beforeEach, describe, test } from "node:test";
import { startStandIn } from "../../fixtures/standIn.ts";
import { createKeySet, type KeySet } from "../../src/superoffice/keySet.ts";
import { sendByFetch } from "../../src/superoffice/sendByFetch.ts";

const MINUTE = 60_000;
const standIn = await startStandIn({
  applicationPublicKey: await readFile(
    new URL("../../fixtures/keys/app-key.pub.pem", import.meta.url),
    "utf8",
  ),
  clientSecret: "client-secret",
  tenants: [],
});
const atOnce = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: 20 }, work));

let clock: number;
let keySet: KeySet;
let reads: () => number;

beforeEach(() => {
  clock = 1000;
  keySet = createKeySet(standIn.loginUrl, sendByFetch, () => clock);
  const before = standIn.counts.keys;
  reads = () => standIn.counts.keys - before;
});

after(() => standIn.close());

describe("the key set", () => {
  test("is not read before it is asked for", () => {
    assert.equal(reads(), 0);
  });

  test("is read once for many who ask at once", async () => {
    const all = await atOnce(() => keySet.get());
    assert.equal(reads(), 1);
    assert.equal(new Set(all).size, 1);
  });

  test("is kept for ten minutes, and then read again", async () => {
    const first = await keySet.get();
    clock += 10 * MINUTE - 1;
    assert.equal(await keySet.get(), first);
    assert.equal(reads(), 1);
    clock += 1;
    await standIn.rotateKeys();
    assert.notEqual(await keySet.get(), first);
    assert.equal(reads(), 2);
  });

  test("is read again once for many when it is ten minutes old", async () => {
    await keySet.get();
    clock += 10 * MINUTE;
    await atOnce(() => keySet.get());
    assert.equal(reads(), 2);
  });

  test("is read once more after a rotation, for all who met it at once", async () => {
    const stale = await keySet.get();
    await standIn.rotateKeys();
    const renewed = await atOnce(() => keySet.renew(stale));
    assert.equal(reads(), 2);
    assert.equal(new Set(renewed).size, 1);
    assert.notEqual(renewed[0], stale);
    assert.equal(await keySet.get(), renewed[0]);
  });

  test("is not read again for one who meets the rotation late", async () => {
    const stale = await keySet.get();
    await standIn.rotateKeys();
    const renewed = await keySet.renew(stale);
    assert.equal(await keySet.renew(stale), renewed);
    assert.equal(reads(), 2);
  });

  test("can be read again at once when it rotates a second time", async () => {
    const first = await keySet.get();
    await standIn.rotateKeys();
    const second = await keySet.renew(first);
    await standIn.rotateKeys();
    assert.notEqual(await keySet.renew(second), second);
    assert.equal(reads(), 3);
  });

  test("is not looked at for 30 seconds after a look that brought nothing new", async () => {
    const stale = await keySet.get();
    assert.deepEqual(new Set(await atOnce(() => keySet.renew(stale))), new Set([stale]));
    assert.equal(reads(), 2);
    clock += 29_999;
    assert.equal(await keySet.renew(stale), stale);
    assert.equal(reads(), 2);
    clock += 1;
    await standIn.rotateKeys();
    assert.notEqual(await keySet.renew(stale), stale);
    assert.equal(reads(), 3);
  });

  test("that could not be read is not kept", async () => {
    standIn.misbehave({ at: "keys", how: { status: 503 }, times: 1 });
    const failures = await Promise.allSettled(Array.from({ length: 20 }, () => keySet.get()));
    assert.deepEqual(new Set(failures.map(({ status }) => status)), new Set(["rejected"]));
    assert.equal(reads(), 1);
    await keySet.get();
    assert.equal(reads(), 2);
  });

  test("stays as it was when a new look fails, and the next one is not held back", async () => {
    const stale = await keySet.get();
    await standIn.rotateKeys();
    standIn.misbehave({ at: "keys", how: "cutBody", times: 1 });
    await assert.rejects(keySet.renew(stale), { code: "NETWORK_FAILED" });
    assert.equal(await keySet.get(), stale);
    assert.notEqual(await keySet.renew(stale), stale);
    assert.equal(reads(), 3);
  });

  const troubles = {
    NOT_FOUND: { status: 404 },
    SERVICE_BUSY: { status: 503 },
    ANSWER_UNREADABLE: "notJson",
    NETWORK_FAILED: "cutBody",
  } as const;
  for (const [code, how] of Object.entries(troubles)) {
    test(`fails with ${code}, naming the login host and what it was read for`, async () => {
      standIn.misbehave({ at: "keys", how, times: 1 });
      const host = new URL(standIn.loginUrl).host.replaceAll(".", "\\.");
      await assert.rejects(keySet.get(), {
        code,
        message: new RegExp(`^${host} .*reading the key set`),
      });
    });
  }

  for (const body of ['{"keys":[]}', '{"keys":[{"kid":"a"}]}', '{"keys":{}}', "{}", "[]"]) {
    test(`is refused as unreadable when it is ${body}`, async () => {
      standIn.misbehave({ at: "keys", how: { status: 200, body }, times: 1 });
      await assert.rejects(keySet.get(), { code: "ANSWER_UNREADABLE" });
    });
  }
});
