// What stands around the console: command line, settings or demo, log, signals and exit.
import { readFile } from "node:fs/promises";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import type { Logger } from "@logtape/logtape";
import { proxyFor } from "../console/requests/proxies.ts";
import { whoIsAtWork } from "../console/atWork.ts";
import type { Explanation, Progress, Secrets, Telemetry } from "../console/wanted.ts";
import type { LoadedWork } from "../console/work.ts";
import { comesFrom, toStrayError } from "../console/workFailure.ts";
import { HELP, readCommandLine } from "./commandLine.ts";
import { findDemo } from "./demo.ts";
import {
  endWhenNobodyReads,
  EXIT_FAILED,
  EXIT_OK,
  EXIT_WRONG_SETTINGS,
  exitCodeOf,
  exitNow,
} from "./exit.ts";
import { UsageError } from "./errors.ts";
import { explain } from "./explain.ts";
import { closeLog, openLog } from "./log.ts";
import { print, printNow, printSoon, tellLost } from "./output.ts";
import { followSettings, type TakeNewSettings } from "./rereading.ts";
import { createSecrets } from "./knownSecrets.ts";
import { createRedact } from "./redact.ts";
import { closeSecretFiles, faultOfRights } from "./secretFile.ts";
import { readRunSettings, readSettings, type RunSettings, type Target } from "./settings.ts";
import { environment, secretsOf, takeVariables } from "./variables.ts";
import { createStatusLine, showProgress } from "./statusLine.ts";
import { createStopping } from "./stopping.ts";
import { openTelemetry } from "./telemetry.ts";

/** What the console is to do. */
export interface Task {
  run: RunSettings;
  target: Target;
  work: LoadedWork | undefined;
  /** The customers to take, as they were typed; all when there are none. */
  customers: string[];
  /** Whether it is one poll, and not one after the other. */
  once: boolean;
}

/** What the console finds around it. */
export interface Surroundings {
  log: Logger;
  /** What nothing prints or stores; the customers in hand add theirs. */
  secrets: Secrets;
  /** Says what happened and what to do, without secrets. */
  explain: (error: unknown) => Explanation;
  /** Undefined where nobody collects any. */
  telemetry: Telemetry | undefined;
  /** Shows a person how far a poll is, of as many customers as `total` says; undefined where nobody looks. */
  showProgress: ((total: () => Promise<number>) => Progress) | undefined;
  /** Says whether client secret or private key are others than before. */
  takeNewSettings: TakeNewSettings;
  /** Ends the taking of customers. */
  stop: AbortSignal;
  /** Ends the work in hand, too. */
  giveUp: AbortSignal;
}

/** Does the task; gives whether all that was tried worked. */
export type Service = (task: Task, surroundings: Surroundings) => Promise<boolean>;

/** Runs what the command line asks for with `service`, and ends the process. */
export async function runProgram(service: Service): Promise<never> {
  // Left alone, V8 lets the heap grow to four times of what is kept. Deno takes the flag at its start alone: see deno.json.
  setFlagsFromString("--heap-growing-percent=40");
  const secrets = createSecrets();
  const redact = createRedact(secrets);
  const statusLine = createStatusLine(printSoon);
  const stopping = createStopping(end);
  endWhenNobodyReads(EXIT_FAILED, closeLog);
  // Before the service begins, what nobody catches ends the program in words.
  let sayUncaught = (error: unknown): void => {
    void exitCodeOf(() => Promise.reject(error), redact).then(end);
  };
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (error) => sayUncaught(error));
  }

  async function end(exitCode: number): Promise<never> {
    const isAtOnce = exitCode > EXIT_WRONG_SETTINGS;
    if (!isAtOnce) await stopping.mayEnd();
    printNow();
    // A disk that hangs may not keep the process.
    await Promise.race([closeLog().catch(() => {}), delay(isAtOnce ? 300 : 2000)]);
    // Not longer than a moment for a reader that does not read.
    if (!isAtOnce) await Promise.race([print(""), delay(1000)]);
    exitNow(exitCode);
  }

  async function main(): Promise<number> {
    const { help, version, demo, once, share, work, customers } = readCommandLine(
      process.argv.slice(2),
    );
    if (help || version) {
      await print(help ? HELP : `${await readVersion()}\n`);
      return EXIT_OK;
    }
    const options = { ...(work !== undefined && { WORK: work }), ...(share && { SHARE: "on" }) };
    const own = { ...environment(), ...options };
    const { variables, warnings } = await takeVariables();
    Object.assign(variables, options);
    for (const secret of secretsOf(variables)) secrets.add(secret);
    const startDemo = findDemo(demo, variables);
    if (startDemo === undefined) {
      const { run, target } = await readSettings(variables, warnings);
      const keyFile = variables["SUPEROFFICE_PRIVATE_KEY_FILE"];
      const fault = keyFile === undefined ? undefined : await faultOfRights(keyFile);
      if (fault !== undefined) warnings.push(fault);
      closeSecretFiles(".env", ...keyFile === undefined ? [] : [keyFile]);
      await findWhatSharingNeeds(run, customers);
      const loadedWork = await loadOwnWork(run);
      const log = await openOwnLog(run);
      for (const warning of warnings) log.warn("{warning}", { warning });
      const takeNewSettings = await followSettings(own, variables, target, secrets, log);
      return await serve({ run, target, work: loadedWork, customers, once }, log, takeNewSettings);
    }
    const run = readRunSettings({ LOG_LEVEL: "debug", ...variables }, warnings);
    await findWhatSharingNeeds(run, customers);
    const log = await openOwnLog(run);
    log.info(
      "This is a demo: sample customers and a stand-in for SuperOffice, all on this machine. Ctrl-C ends it. " +
        "For your own application set DATABASE_URL and SUPEROFFICE_* (--help lists them).",
    );
    for (const warning of warnings) log.warn("{warning}", { warning });
    closeSecretFiles(".env");
    const loadedWork = await loadOwnWork(run);
    log.info("Its Postgres is starting, which takes a moment.");
    printNow();
    const { target, pageUrl, close } = await startDemo(once ? undefined : "opens");
    if (!once) {
      log.info("Its SuperOffice has a page, where tenants change: {pageUrl}", { pageUrl });
    }
    try {
      const takeNewSettings = () => Promise.resolve(false);
      const task = { run, target, work: loadedWork, customers, once };
      return await serve(task, log, takeNewSettings, run.share ? twice(service) : service);
    } finally {
      await close();
    }
  }

  async function openOwnLog(run: RunSettings): Promise<Logger> {
    const colours = run.colours ?? process.stdout.isTTY === true;
    return await openLog(run.log, redact, (line) => statusLine.print(line), colours);
  }

  async function serve(
    task: Task,
    log: Logger,
    takeNewSettings: TakeNewSettings,
    whatToDo = service,
  ): Promise<number> {
    const { run, target, once } = task;
    if (stopping.stop.aborted) return EXIT_OK;
    secrets.add(target.clientSecret);
    const telemetry = run.sendsTelemetry
      ? await openTelemetry(run.usesDenoTelemetry, redact, run.proxies)
      : undefined;
    stopping.begin(run.shutdownMs, log);
    const explainSafely = (error: unknown) => {
      const { problem, remedy, code } = explain(error);
      return { problem: redact(problem), remedy: redact(remedy), code };
    };
    // One tenant's trouble must not end the others' work, whatever it is.
    let isAllCaught = true;
    sayUncaught = (error) => {
      isAllCaught = false;
      const atWork = whoIsAtWork();
      if (atWork !== undefined) atWork.fail(error);
      else log.error("{problem}. {remedy} [{code}]", { ...explain(ownOrOfWork(error, task.work)) });
    };
    tellLost((lines) => {
      log.warn("{lines} lines were not printed, since nobody read them.", { lines });
    });
    const rarer = run.tenantMs > run.pollMs ? " (each customer every {tenantSeconds} s)" : "";
    const often = once ? "once" : `every {seconds} s${rarer}`;
    const proxy = proxyFor(new URL(target.loginUrl), run.proxies)?.host;
    const way = proxy === undefined ? "" : " through the proxy {proxy}";
    const atOnce = run.concurrency === "auto"
      ? "32 to 512 tenants at once, as the beat needs"
      : run.concurrency === 1
      ? "one tenant at a time"
      : "at most {concurrency} tenants at once";
    const shared = run.share ? ", sharing the work with other consoles" : "";
    log.info(`Logging on at {loginUrl}${way}, ${often}${shared}, ${atOnce}.`, {
      loginUrl: target.loginUrl,
      ...(proxy !== undefined && { proxy }),
      seconds: run.pollMs / 1000,
      ...(rarer !== "" && { tenantSeconds: run.tenantMs / 1000 }),
      concurrency: run.concurrency,
    });
    printNow();
    if (task.work !== undefined) {
      const { startWatchdog } = await import("./watchdog.ts");
      startWatchdog(task.work.fileName, run.log.format, log, stopping.standAside, printNow);
    }
    const allWorked = await whatToDo(task, {
      log,
      secrets,
      explain: explainSafely,
      telemetry,
      showProgress: process.stdout.isTTY ? (total) => showProgress(statusLine, total) : undefined,
      takeNewSettings,
      stop: stopping.stop,
      giveUp: stopping.giveUp,
    });
    stopping.workIsDone();
    await telemetry?.close();
    stopping.sayWhy(log);
    return (allWorked && isAllCaught) || stopping.stop.aborted ? EXIT_OK : EXIT_FAILED;
  }

  return await end(await exitCodeOf(main, redact));
}

/** As two consoles would do it that share the work; which one says what stands in its lines. */
function twice(service: Service): Service {
  return async (task, surroundings) => {
    const both = [1, 2].map((console) => {
      const log = surroundings.log.with({ console });
      const run = console === 1
        ? task.run
        : { ...task.run, notificationsAt: undefined, healthAt: undefined };
      return service({ ...task, run }, { ...surroundings, log, showProgress: undefined });
    });
    return (await Promise.all(both)).every((allWorked) => allWorked);
  };
}

/** What arrives without a customer's name may come from the work script all the same. */
function ownOrOfWork(error: unknown, work: LoadedWork | undefined): unknown {
  const isOfWork = work !== undefined && comesFrom(work.fileName, error);
  return isOfWork ? toStrayError(error, work.fileName) : error;
}

/** Throws where it is not there, and where sharing was not meant. */
async function findWhatSharingNeeds({ share }: RunSettings, customers: string[]): Promise<void> {
  if (!share) return;
  if (customers.length > 0) {
    throw new UsageError(
      "--customer is for one console alone, while SHARE=on divides all customers: say SHARE=off beside it",
    );
  }
  const { loadPgBoss } = await import("../database/pgBoss.ts");
  await loadPgBoss();
}

async function loadOwnWork({ work, proxies }: RunSettings): Promise<LoadedWork | undefined> {
  if (work === undefined) return undefined;
  if (proxies !== undefined) {
    const { sendFetchThrough } = await import("../console/requests/globalFetch.ts");
    sendFetchThrough(proxies);
  }
  const { loadWork } = await import("./loadWork.ts");
  return await loadWork(work);
}

async function readVersion(): Promise<string> {
  const file = new URL("../../package.json", import.meta.url);
  return JSON.parse(await readFile(file, "utf8")).version;
}
