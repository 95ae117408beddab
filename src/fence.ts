// On Deno: starts one of the commands with the permissions that its settings need, and no more.
//   deno run --no-prompt --allow-env --allow-read --allow-run src/fence.ts main.ts --once
// Flags of Deno's own among the arguments, such as --allow-net=api.example.com, are granted beside them.
import { execFileSync, spawn } from "node:child_process";
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { namesNoTarget, readVariables } from "./program/variables.ts";
import { flagsFor, inFlag, permissionsFor } from "./program/permissions.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const CONFIG = `--config=${ROOT}deno.json`;
const [command = "main.ts", ...given] = process.argv.slice(2);
const isGrant = (argument: string) => /^--(allow|deny)-/.test(argument);
const args = given.filter((argument) => !isGrant(argument));

const variables = await readVariables();
const isDemo = args.includes("--demo") || namesNoTarget(variables);
const work = workOf(args) ?? variables["WORK"];
const permissions = permissionsFor(variables, isDemo);
permissions.read.push(inFlag(`${ROOT}package.json`), inFlag(`${ROOT}fixtures/schema.sql`));
// The embedded Postgres of the demo reads its own files.
if (isDemo) permissions.read.push(inFlag(packagesFolder()));
if (work !== undefined) permissions.read.push(...modulesOf(work).map(inFlag));

const child = spawn(process.execPath, [
  "run",
  "--quiet",
  "--no-prompt",
  CONFIG,
  "--v8-flags=--heap-growing-percent=40",
  ...flagsFor(permissions, given.filter(isGrant)),
  fileURLToPath(new URL(command, import.meta.url)),
  ...args,
], { stdio: ["inherit", "inherit", "inherit", "ipc"] });
// A terminal tells both of them; the console takes the same signal twice for one. (Told by child.kill, Deno would give the
// signal in place of the exit code.)
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => process.kill(child.pid!, signal));
}
child.on("close", (code) => process.exit(code ?? 1));

/** The work script that the command line names. */
function workOf(args: string[]): string | undefined {
  const at = args.findIndex((argument) => /^--work(=|$)/.test(argument));
  return at < 0 ? undefined : args[at]?.split("=")[1] ?? args[at + 1];
}

/** The files of a work script: itself, and what it imports from this machine. */
function modulesOf(work: string): string[] {
  const { modules = [] } = ask("info", "--json", work) as { modules?: { local?: string }[] };
  return [
    resolve(work),
    ...modules.map(({ local }) => local).filter((local) => local !== undefined),
  ];
}

/** Where Deno keeps packages from npm. */
function packagesFolder(): string {
  return (ask("info", "--json") as { npmCache: string }).npmCache;
}

function ask(...args: string[]): unknown {
  const [command = "", ...others] = args;
  const answer = execFileSync(process.execPath, [command, CONFIG, ...others], {
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(answer.toString());
}
