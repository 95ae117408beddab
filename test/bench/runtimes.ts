// How a TypeScript file is run: on Node and on Deno, whichever of them runs the bench itself.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

export type RuntimeName = "node" | "deno";

export interface Runtime {
  name: RuntimeName;
  version: string;
  /** The command and its first arguments; a file's path and its arguments follow. */
  command: string[];
}

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

const isDeno = "Deno" in globalThis;

export const node: Runtime = describeNode(isDeno ? "node" : process.execPath);
export const deno: Runtime = describeDeno(isDeno ? process.execPath : denoOfNpm());

/** A Node that strips types itself: BENCH_STRIPPING_NODE, else the usual one if it does. */
export function findStrippingNode(): { version: string; command: string[] } | undefined {
  const command = [process.env["BENCH_STRIPPING_NODE"], node.command[0]].find((command) =>
    command && ask(command, ["-p", "process.features.typescript"]) === "strip"
  );
  return command === undefined ? undefined : { version: versionOf(command), command: [command] };
}

function describeNode(command: string): Runtime {
  const tsx = import.meta.resolve("../../node_modules/tsx/dist/loader.mjs");
  return {
    name: "node",
    version: versionOf(command),
    command: [command, "--import", tsx],
  };
}

function versionOf(command: string): string {
  return ask(command, ["-p", "process.versions.node"]);
}

function describeDeno(command: string): Runtime {
  const version = ask(command, ["eval", "console.log(Deno.version.deno)"]);
  // As in the task «start».
  const memory = "--v8-flags=--heap-growing-percent=40";
  const flags = ["--quiet", "--no-prompt", memory, "--allow-all", "--config", `${ROOT}deno.json`];
  return { name: "deno", version, command: [command, "run", ...flags] };
}

function denoOfNpm(): string {
  const own = `${ROOT}node_modules/deno/deno`;
  return existsSync(own) ? own : "deno";
}

function ask(command: string, args: string[]): string {
  return spawnSync(command, args, { encoding: "utf8", timeout: 10_000 }).stdout?.trim() ?? "";
}
