import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { askChild } from "./childLines.ts";
import { median } from "./median.ts";
import type { Plan } from "./plan.ts";
import { deno, node, type RuntimeName } from "./runtimes.ts";

const FILE = fileURLToPath(new URL("signingProcess.ts", import.meta.url));

/** Signatures a second with a key of 2,048 bits, on all cores. */
export type SigningFigures = Record<RuntimeName, number> & {
  openssl: number;
  opensslOverNode: number;
};

export async function measureSigning(
  { seconds, rounds }: Plan["signing"],
): Promise<SigningFigures> {
  const rates: Record<RuntimeName | "openssl", number[]> = { openssl: [], node: [], deno: [] };
  for (let round = 0; round < rounds; round++) {
    rates.openssl.push(opensslRate(seconds));
    for (const { name, command } of [node, deno]) {
      const { perSecond } = await askChild<{ perSecond: number }>(command, FILE, { seconds });
      rates[name].push(perSecond);
    }
  }
  return {
    openssl: median(rates.openssl),
    node: median(rates.node),
    deno: median(rates.deno),
    opensslOverNode: median(rates.openssl.map((rate, round) => rate / rates.node[round]!)),
  };
}

/** NaN where there is no openssl. */
function opensslRate(seconds: number): number {
  const args = ["-seconds", `${seconds}`, "-multi", `${availableParallelism()}`, "rsa2048"];
  const { stdout } = spawnSync("openssl", ["speed", ...args], { encoding: "utf8" });
  return Number(stdout?.match(/rsa +2048 bits +\S+s +\S+s +([\d.]+)/)?.[1]);
}
