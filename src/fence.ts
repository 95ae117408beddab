// On Deno: starts one of the commands with the permissions that its settings need, and no more.
//   deno run --no-prompt --allow-env --allow-read --allow-run src/fence.ts main.ts --once
// Flags of Deno's own among the arguments, such as --allow-net=api.example.com, are granted beside them.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { environment, namesNoTarget, readVariables, type Variables } from "./program/variables.ts";
import { watchSettingsFiles } from "./program/settingsFiles.ts";
import { isSameKeystroke, type Keystroke } from "./program/keystroke.ts";
import { SCREEN_VARIABLES, startBrowser } from "./program/openBrowser.ts";
import { flagsFor, inFlag, listenersOf, permissionsFor } from "./program/permissions.ts";

/** How often the files are looked at that hold settings. */
const LOOK_MS = 1000;

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const CONFIG = `--config=${ROOT}deno.json`;
/** A console that hears a second signal has ended by then. */
const STOPS_AT_ONCE_MS = 1500;
const [command = "main.ts", ...given] = process.argv.slice(2);
const isGrant = (argument: string) => /^--(allow|deny)-/.test(argument);
const args = given.filter((argument) => !isGrant(argument));

// What cannot be read is named by the command itself.
const variables: Variables = await readVariables().catch(() => ({}));
const lookForChanges = await watchSettingsFiles(environment());
const isDemo = args.includes("--demo") || namesNoTarget(variables);
const work = workOf(args) ?? variables["WORK"];
const fault = faultOfLogFolder();
if (fault !== undefined) {
  process.stderr.write(`The settings are not right:\n  ${fault}\n`);
  process.exit(2);
}
const permissions = permissionsFor(variables, isDemo);
permissions.read.push(inFlag(`${ROOT}package.json`), inFlag(`${ROOT}fixtures/schema.sql`));
if (command === "customers.ts" && args.includes("approve")) {
  permissions.net.push(...listenersOf(variables));
  permissions.env.push(...SCREEN_VARIABLES);
}
// The embedded Postgres of the demo reads its own files, and is asked too little for V8 to compile it once more for speed.
const v8Flags = ["--heap-growing-percent=40"];
if (isDemo) {
  permissions.read.push(inFlag(deno().npmCache), inFlag(`${ROOT}fixtures/postgresThread.mjs`));
  v8Flags.push("--no-wasm-tier-up", "--no-wasm-dynamic-tiering");
}
if (work !== undefined) {
  permissions.read.push(
    ...[...modulesOf(work), `${ROOT}src/program/watchdogThread.mjs`].map(inFlag),
  );
}

const child = spawn(process.execPath, [
  "run",
  "--quiet",
  "--no-prompt",
  CONFIG,
  `--v8-flags=${v8Flags.join(",")}`,
  ...flagsFor(permissions, given.filter(isGrant)),
  fileURLToPath(new URL(command, import.meta.url)),
  ...args,
], { stdio: ["inherit", "inherit", "inherit", "ipc"] });
// A terminal tells both of them; the console takes the same signal twice for one. (Told by child.kill, Deno would give the
// signal in place of the exit code.)
let first: Keystroke | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    process.kill(child.pid!, signal);
    const keystroke = { name: signal, at: performance.now() };
    if (first === undefined) first = keystroke;
    else if (!isSameKeystroke(first, keystroke)) endSoon(signal);
  });
}
// At a terminal it says that the terminal is gone.
if (process.stdout.isTTY) process.on("SIGHUP", () => process.kill(child.pid!, "SIGHUP"));
else process.on("SIGHUP", () => void tellChanges());
setInterval(() => void tellChanges(), LOOK_MS);
// It may start no program itself.
child.on("message", (message) => {
  const { address } = (message ?? {}) as { address?: unknown };
  if (typeof address === "string") startBrowser(address);
});
child.on("close", (code) => process.exit(code ?? 1));

/** The console may not read the files that hold its secrets any more: when they change it is told. */
async function tellChanges(): Promise<void> {
  const texts = await lookForChanges();
  if (texts !== undefined && child.connected) child.send(texts);
}

/** A work script that never pauses keeps the console from hearing signals: told twice, it is ended from here. */
function endSoon(signal: NodeJS.Signals): void {
  setTimeout(() => {
    process.kill(child.pid!, "SIGKILL");
    process.exit(signal === "SIGINT" ? 130 : 143);
  }, STOPS_AT_ONCE_MS).unref();
}

/** The work script that the command line names. */
function workOf(args: string[]): string | undefined {
  const at = args.findIndex((argument) => /^--work(=|$)/.test(argument));
  const [, path] = args[at]?.match(/^--work=(.*)$/s) ?? [];
  return at < 0 ? undefined : path ?? args[at + 1];
}

/**
 * The files of a work script: itself, and the code that it imports, in its own folder or in what Deno keeps. Anything else that
 * it names, be it by a link, is for whoever starts it to grant: it could be a key.
 */
function modulesOf(work: string): string[] {
  if (!existsSync(work)) return [resolve(work)];
  const { modules = [] } = ask("info", "--json", work) as { modules?: { local?: string }[] };
  const folders = [dirname(realpathSync(work)), realpathSync(deno().denoDir)];
  const isCode = (file: string) =>
    /\.([cm]?[jt]sx?|wasm)$/.test(file) &&
    realpathSync(file) === join(realpathSync(dirname(file)), basename(file)) &&
    folders.some((folder) => realpathSync(file).startsWith(folder + sep));
  const files = modules.map(({ local }) => local).filter((local) => local !== undefined);
  return [resolve(work), ...files.filter((file) => existsSync(file) && isCode(file))];
}

/** What Deno says of itself. */
function deno(): { denoDir: string; npmCache: string } {
  return ask("info", "--json") as { denoDir: string; npmCache: string };
}

/** Where the log goes the console may write, and read: nothing else may lie there. */
function faultOfLogFolder(): string | undefined {
  const { LOG_FILE: logFile, SUPEROFFICE_PRIVATE_KEY_FILE: keyFile } = variables;
  if (logFile === undefined) return undefined;
  const folder = resolve(dirname(logFile));
  const others = [".env", keyFile ?? ".env", join(ROOT, "src", command)].map((file) =>
    resolve(file)
  );
  if (!others.some((file) => file.startsWith(folder === sep ? sep : folder + sep))) {
    return undefined;
  }
  return "LOG_FILE: on Deno it needs a folder of its own, such as logs/console.log, without .env, the private key or this " +
    `program in it; ${folder} holds one`;
}

function ask(...args: string[]): unknown {
  const [command = "", ...others] = args;
  const answer = execFileSync(process.execPath, [command, CONFIG, ...others], {
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(answer.toString());
}
