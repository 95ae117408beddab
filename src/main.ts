import { setMaxListeners } from "node:events";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import type { Logger } from "@logtape/logtape";
import { HELP, readCommandLine } from "./commandLine.ts";
import { problemOf, SettingsError, StoppedError, UsageError } from "./errors.ts";
import { closeLog, openLog } from "./log.ts";
import { createRedact, createSecrets } from "./redact.ts";
import {
  namesNoTarget,
  readRunSettings,
  readSettings,
  readVariables,
  type RunSettings,
  secretsOf,
  type Target,
} from "./settings.ts";
import { createStatusLine } from "./statusLine.ts";
import { noTelemetry, openTelemetry } from "./telemetry.ts";
import type { LoadedWork } from "./work.ts";

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_WRONG_SETTINGS = 2;
/** One Ctrl-C can arrive several times: from the terminal, and from npm and tsx, which pass it on. */
const SAME_KEYSTROKE_MS = 300;

const secrets = createSecrets();
const redact = createRedact(secrets);
const statusLine = createStatusLine(writeSoon);

/** Runs what the command line asks for, and gives the exit code. */
async function main(): Promise<number> {
  const { help, version, demo, once, work } = readCommandLine(process.argv.slice(2));
  if (help) return await print(HELP);
  if (version) return await print(`${await readVersion()}\n`);

  const variables = await readVariables();
  if (work !== undefined) variables["WORK"] = work;
  const { SUPEROFFICE_CLIENT_SECRET: clientSecret = "", DATABASE_URL: databaseUrl = "" } =
    variables;
  for (const secret of secretsOf({ clientSecret, databaseUrl })) secrets.add(secret);
  const isProduction = variables["NODE_ENV"] === "production";
  if (demo && isProduction) throw new UsageError("There is no demo with NODE_ENV=production");
  if (demo || (namesNoTarget(variables) && !isProduction)) {
    return await runDemo(readRunSettings({ LOG_LEVEL: "debug", ...variables }), once);
  }
  const { run, target } = await readSettings(variables);
  const loadedWork = await loadOwnWork(run);
  return await runUntilStopped(run, target, loadedWork, once, await openOwnLog(run));
}

async function runDemo(run: RunSettings, once: boolean): Promise<number> {
  const log = await openOwnLog(run);
  log.info(
    "This is a demo: sample customers and a stand-in for SuperOffice, all on this machine. Ctrl-C ends it. " +
      "For your own application set DATABASE_URL and SUPEROFFICE_* (--help lists them).",
  );
  const loadedWork = await loadOwnWork(run);
  // Loaded for the demo alone: a vendor ships src/ without it.
  const { startDemo } = await import("../fixtures/demo.ts").catch((cause) => {
    throw new UsageError(`The demo is not part of this installation: ${cause.message}`, { cause });
  });
  const { target, close } = await startDemo();
  try {
    return await runUntilStopped(run, target, loadedWork, once, log);
  } finally {
    await close();
  }
}

async function loadOwnWork({ work }: RunSettings): Promise<LoadedWork | undefined> {
  if (work === undefined) return undefined;
  const { loadWork } = await import("./work.ts");
  return await loadWork(work);
}

async function openOwnLog(run: RunSettings): Promise<Logger> {
  // The log file is its owner's alone.
  process.umask(0o077);
  const colours = run.colours ?? process.stdout.isTTY === true;
  return await openLog(run.log, redact, (line) => statusLine.print(line), colours);
}

async function runUntilStopped(
  run: RunSettings,
  target: Target,
  work: LoadedWork | undefined,
  once: boolean,
  log: Logger,
): Promise<number> {
  for (const secret of secretsOf(target)) secrets.add(secret);
  const telemetry = run.sendsTelemetry
    ? await openTelemetry(run.usesDenoTelemetry, redact)
    : noTelemetry;
  const stop = new AbortController();
  const giveUp = new AbortController();
  // Every request under way listens to it.
  setMaxListeners(0, giveUp.signal);
  let notice: ReturnType<typeof setTimeout> | undefined;

  beginStop = () => {
    stop.abort();
    setTimeout(() => giveUp.abort(new StoppedError("Stopped before it was done")), run.shutdownMs);
    // For what does not heed giveUp, such as a database that does not answer.
    setTimeout(() => exit(EXIT_OK), run.shutdownMs + 1000);
    // Said when a second Ctrl-C can be told from the first.
    notice = setTimeout(() => {
      log.info(
        "Stopping: waiting at most {seconds} s for work in hand. Ctrl-C again stops at once.",
        {
          seconds: run.shutdownMs / 1000,
        },
      );
    }, SAME_KEYSTROKE_MS);
  };
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    // One tenant's trouble must not end the others' work, whatever it is.
    process.on(event, (error) => log.error("{problem}. {remedy} [{code}]", problemOf(error)));
  }

  const often = once ? "once" : "every {seconds} s";
  log.info(`Logging on at {loginUrl}, ${often}, at most {concurrency} tenants at once.`, {
    loginUrl: target.loginUrl,
    seconds: run.pollMs / 1000,
    concurrency: run.concurrency,
  });
  // Loaded after the first line is out, since it brings most of the packages.
  writeNow();
  const { runConsole } = await import("./runConsole.ts");
  const allWorked = await runConsole(run, target, work, once, {
    log,
    secrets,
    redact,
    telemetry,
    statusLine: process.stdout.isTTY === true ? statusLine : undefined,
    stop: stop.signal,
    giveUp: giveUp.signal,
  });
  clearTimeout(notice);
  await telemetry.close();
  if (firstSignal !== undefined) log.info("Stopped by {signal}.", { signal: firstSignal.name });
  return allWorked || stop.signal.aborted ? EXIT_OK : EXIT_FAILED;
}

/** What the first signal does; before there is work to finish, it just ends the process. */
let beginStop = (): void => void exit(EXIT_OK);
let firstSignal: { name: NodeJS.Signals; at: number } | undefined;

function onSignal(name: NodeJS.Signals): void {
  if (firstSignal === undefined) {
    firstSignal = { name, at: performance.now() };
    beginStop();
  } else if (name !== firstSignal.name || msSinceSignal() > SAME_KEYSTROKE_MS) {
    writeNow();
    void closeLog().finally(() => process.exit(name === "SIGINT" ? 130 : 143));
  }
}

function msSinceSignal(): number {
  return performance.now() - (firstSignal?.at ?? -Infinity);
}

async function exit(code: number): Promise<never> {
  // tsx takes a program for hung that ends before it could be told of the same Ctrl-C again.
  await delay(Math.max(0, SAME_KEYSTROKE_MS - msSinceSignal()));
  await closeLog();
  await print("");
  process.exit(code);
}

async function readVersion(): Promise<string> {
  return JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")).version;
}

let unwritten = "";

/** Gathers what is printed until the event loop turns, since each write is a call to the system. */
function writeSoon(text: string): void {
  if (unwritten === "") setImmediate(writeNow);
  unwritten += text;
}

function writeNow(): void {
  process.stdout.write(unwritten);
  unwritten = "";
}

/** Writes to standard output; resolves when it is out. */
function print(text: string): Promise<number> {
  writeNow();
  return new Promise((resolve) => process.stdout.write(text, () => resolve(EXIT_OK)));
}

function printError(error: unknown): number {
  const { problem, remedy } = problemOf(error);
  process.stderr.write(redact(`${problem}\n${remedy}\n`));
  const isSettings = error instanceof SettingsError || error instanceof UsageError;
  return isSettings ? EXIT_WRONG_SETTINGS : EXIT_FAILED;
}

// Left alone, V8 lets the heap grow to four times of what is kept. Deno takes the flag at its start alone: see deno.json.
setFlagsFromString("--heap-growing-percent=40");

process.on("SIGINT", onSignal);
process.on("SIGTERM", onSignal);
// Whoever read the output is gone, as with `| head`.
process.stdout.on("error", () => void closeLog().finally(() => process.exit(EXIT_FAILED)));

await exit(await main().catch(printError));
