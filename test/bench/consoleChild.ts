// src/main.ts in a process of its own, with its log in a file, as in production.
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { cleanEnvironment } from "../support/cleanEnvironment.ts";
import { settingsFor } from "../support/sampleTenants.ts";
import { CONCURRENCY } from "./plan.ts";
import { MAIN, type Runtime } from "./runtimes.ts";

export interface Poll {
  ms: number;
  loggedOn: number;
  /** What the process used from the end of the poll before, or from its start, to the end of this one. */
  cpuMs: number;
}

export interface ConsoleChild {
  /** The polls up to this one, as the console's own log tells them. Throws when a customer failed. */
  polls(count: number): Promise<Poll[]>;
  /** The most memory that the process held, in MB. */
  peakMb(): number;
  stop(): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
}

export interface ConsoleOptions {
  loginUrl: string;
  databaseUrl: string;
  pollSeconds: number;
  /** Other settings, by their variables. */
  variables?: Record<string, string>;
  /** Trouble that is no reason to end. */
  expected?: RegExp;
}

const LOOK_MS = 50;
const CLOCK_TICK_MS = 10;

export function startConsoleChild(
  runtime: Runtime,
  { loginUrl, databaseUrl, pollSeconds, variables, expected }: ConsoleOptions,
): ConsoleChild {
  const cwd = mkdtempSync(join(tmpdir(), "console-bench-"));
  const log = openSync(join(cwd, "console.log"), "w+");
  const [program = "", ...before] = runtime.command;
  const child = spawn(program, [...before, MAIN], {
    cwd,
    env: cleanEnvironment({
      ...settingsFor({ loginUrl }, databaseUrl),
      POLL_SECONDS: String(pollSeconds),
      CONCURRENCY: String(CONCURRENCY),
      ...variables,
    }),
    stdio: ["ignore", log, log],
  });
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => {
      hasEnded = true;
      resolve();
    });
  });
  const endWithBench = () => child.kill();
  process.once("exit", endWithBench);
  const found: Poll[] = [];
  let cpuSeenMs = 0;
  let bytesSeen = 0;
  let lastLine = "";
  const buffer = Buffer.alloc(1024 * 1024);

  /** Reads what is new in the log; never the whole again, which would take time from what is measured. */
  function look(): void {
    const bytes = readSync(log, buffer, 0, buffer.length, bytesSeen);
    bytesSeen += bytes;
    const lines = (lastLine + buffer.toString("latin1", 0, bytes)).split("\n");
    lastLine = lines.pop() ?? "";
    for (const line of lines) {
      if (/ (WARNING|ERROR) /.test(line) && !expected?.test(line)) {
        throw new Error(`The console is in trouble: ${line}`);
      }
      const [, ms, loggedOn] = line.match(/Poll done in (\d+) ms: (\d+) logged on/) ?? [];
      if (ms === undefined) continue;
      const cpuMs = cpuOf(child.pid!);
      found.push({ ms: Number(ms), loggedOn: Number(loggedOn), cpuMs: cpuMs - cpuSeenMs });
      cpuSeenMs = cpuMs;
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    process.off("exit", endWithBench);
    child.kill(signal);
    await ended;
    closeSync(log);
    await rm(cwd, { recursive: true });
  }

  return {
    async polls(count) {
      while (found.length < count) {
        if (hasEnded) throw new Error("The console ended");
        await delay(LOOK_MS);
        look();
      }
      return found.slice(0, count);
    },
    peakMb() {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      return Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1]) / 1024;
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}

function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS;
}
