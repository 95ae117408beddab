// The stand-in in a process of its own. Prints its login address; answers each line with how often it was asked what.
import { createInterface } from "node:readline";
import process from "node:process";
import { makeTenants, startSampleStandIn } from "../support/sampleTenants.ts";

const { customers, latencyMs } = JSON.parse(process.argv[2] ?? "") as {
  customers: number;
  latencyMs: number;
};
const HOUR_MS = 3600_000;
const standIn = await startSampleStandIn(makeTenants(customers), {
  latencyMs,
  // Longer than any measurement: later polls are calls and nothing else.
  stateValidMs: HOUR_MS,
});
const print = (value: unknown) => console.log(JSON.stringify(value));
print({ loginUrl: standIn.loginUrl });
for await (const _ of createInterface({ input: process.stdin })) print(standIn.counts);
await standIn.close();
