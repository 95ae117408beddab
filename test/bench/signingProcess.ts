// Signs with src/signToken.ts for a while, many at once, and prints how many signatures it made a second.
import process from "node:process";
import { createSigner, signToken } from "../../src/superoffice/signToken.ts";
import { importSampleKey } from "./sampleKey.ts";

const AT_ONCE = 32;
const { seconds } = JSON.parse(process.argv[2] ?? "") as { seconds: number };
const sign = createSigner(await importSampleKey());
let count = 0;

async function signUntil(endsAt: number): Promise<void> {
  while (performance.now() < endsAt) {
    await signToken("Test App-0123456789", sign, new Date());
    count++;
  }
}

async function rate(ms: number): Promise<number> {
  count = 0;
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, () => signUntil(startedAt + ms)));
  return count / (performance.now() - startedAt) * 1000;
}

await rate(300);
console.log(JSON.stringify({ perSecond: await rate(seconds * 1000) }));
process.exit();
