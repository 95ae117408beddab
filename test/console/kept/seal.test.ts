import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeal } from "../../../src/console/kept/seal.ts";

const TEXT = JSON.stringify({ ticket: "7T:ticket-of-anna", state: "Running" });
const ANNA = ["login.example", "Cust1", "App-1"];
const seal = await createSeal("client-secret");
const sealed = await seal.seal(TEXT, ANNA);

test("what was sealed opens again, also for another process with the same client secret", async () => {
  assert.equal(await seal.open(sealed, ANNA), TEXT);
  assert.equal(await (await createSeal("client-secret")).open(sealed, ANNA), TEXT);
});

test("nothing of the text stands in what is sealed, and no two sealings are alike", async () => {
  const again = await seal.seal(TEXT, ANNA);
  assert.notDeepEqual(again, sealed);
  for (const bytes of [sealed, again]) {
    const shown = Buffer.from(bytes).toString("latin1");
    for (const word of ["7T:", "ticket", "anna", "Cust1", "App-1", "login"]) {
      assert.ok(!shown.includes(word), word);
    }
  }
});

test("another client secret opens nothing", async () => {
  for (const clientSecret of ["client-secret2", "Client-secret", ""]) {
    assert.equal(await (await createSeal(clientSecret)).open(sealed, ANNA), undefined);
  }
});

test("another login host, customer or token opens nothing, also where the words run together alike", async () => {
  const others = [
    ["other.example", "Cust1", "App-1"],
    ["login.example", "Cust2", "App-1"],
    ["login.example", "cust1", "App-1"],
    ["login.example", "Cust1", "App-2"],
    ["login.example", "Cust1A", "pp-1"],
    ["login.example", "Cust1"],
    ["login.example", "Cust1", "App-1", ""],
    ["login.example", 'Cust1","App-1'],
  ];
  for (const boundTo of others) assert.equal(await seal.open(sealed, boundTo), undefined);
});

test("a byte that was changed, wherever it stands, opens nothing", async () => {
  for (let place = 0; place < sealed.length; place++) {
    const changed = sealed.slice();
    changed[place]! ^= 1;
    assert.equal(await seal.open(changed, ANNA), undefined, `byte ${place}`);
  }
});

test("what was cut or lengthened, wherever, opens nothing", async () => {
  for (let length = 0; length < sealed.length; length++) {
    assert.equal(await seal.open(sealed.slice(0, length), ANNA), undefined, `${length} bytes`);
  }
  assert.equal(await seal.open(new Uint8Array([...sealed, 0]), ANNA), undefined);
  assert.equal(await seal.open(sealed.slice(1), ANNA), undefined);
});
