// src/main.ts in a process of its own, with something loaded before it that looks inside: what it says and what it holds.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cleanEnvironment } from "../support/cleanEnvironment.ts";
import { settingsFor } from "../support/sampleTenants.ts";
import { MAIN, type Runtime } from "./runtimes.ts";
import type { Inside, PreloadVariables } from "./soakPreload.ts";

const PRELOAD = fileURLToPath(new URL("soakPreload.ts", import.meta.url));
const MOST_STOP_MS = 20_000;
/** Of a line that is shown. */
const MOST_LETTERS = 500;

/** What the console held at one moment. */
export interface Sample extends Inside {
  polls: number;
  /** Undefined where there is no /proc. */
  sockets: number | undefined;
  descriptors: number | undefined;
}

/** What the console said. */
export interface Said {
  polls: number;
  /** Lines that must not come: polls that broke off, errors that nobody foresaw, the runtime's own complaints. */
  faults: string[];
  logOns: Map<string, number>;
  /** How often each customer was warned of, and how the last time. */
  warnings: Map<string, { count: number; last: string }>;
  /** Of all warnings, by the code at the line's end. */
  codes: Record<string, number>;
}

export interface SoakedConsole {
  said: Said;
  /** Undefined until it has looked inside the first time, and while nothing new is known. */
  sample(): Sample | undefined;
  /** Its exit code or signal, once it has ended. */
  ending(): string | undefined;
  /** Stops it, and gives how it ended. */
  stop(): Promise<string>;
}

export interface SoakedOptions {
  loginUrl: string;
  databaseUrl: string;
  requestTimeoutSeconds: number;
  lookEveryMs: number;
  collectEvery: number;
  leaks: boolean;
}

export function startSoakedConsole(
  runtime: Runtime,
  options: SoakedOptions,
): SoakedConsole {
  const { loginUrl, databaseUrl, requestTimeoutSeconds, lookEveryMs, collectEvery, leaks } =
    options;
  const cwd = mkdtempSync(join(tmpdir(), "console-soak-"));
  const file = join(cwd, "inside.jsonl");
  const preload: PreloadVariables = {
    SOAK_FILE: file,
    SOAK_EVERY_MS: String(lookEveryMs),
    SOAK_COLLECT_EVERY: String(collectEvery),
    SOAK_LEAK: leaks ? "yes" : "no",
  };
  const [program = "", ...args] = withPreload(runtime);
  const child = spawn(program, [...args, MAIN], {
    cwd,
    env: cleanEnvironment({
      ...settingsFor({ loginUrl }, databaseUrl),
      POLL_SECONDS: "0.1",
      CONCURRENCY: "8",
      REQUEST_TIMEOUT_SECONDS: String(requestTimeoutSeconds),
      ...preload,
    }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = listenTo(child);
  let ending: string | undefined;
  const ended = new Promise<string>((resolve) => {
    child.once("close", (code, signal) => resolve(ending = signal ?? `exit code ${code}`));
  });
  const endWithSoak = () => child.kill("SIGKILL");
  process.once("exit", endWithSoak);
  let seen = "";

  return {
    said,
    sample() {
      const line = lastLineOf(file);
      if (line === undefined || line === seen || ending !== undefined) return undefined;
      seen = line;
      return { ...JSON.parse(line), polls: said.polls, ...descriptorsOf(child.pid!) };
    },
    ending: () => ending,
    async stop() {
      const guard = setTimeout(endWithSoak, MOST_STOP_MS);
      // Not child.kill: Deno then reports the signal in place of the exit code.
      if (ending === undefined) process.kill(child.pid!, "SIGTERM");
      const how = await ended;
      clearTimeout(guard);
      process.off("exit", endWithSoak);
      await rm(cwd, { recursive: true });
      return how;
    },
  };
}

/** As the console is started otherwise, with the file loaded before it, and with a way to collect garbage. */
function withPreload({ name, command }: Runtime): string[] {
  if (name === "node") {
    return [command[0]!, "--expose-gc", ...command.slice(1), "--import", PRELOAD];
  }
  const flags = command.map((flag) => flag.replace(/^--v8-flags=/, "$&--expose-gc,"));
  return [...flags, "--preload", PRELOAD];
}

function listenTo(child: ChildProcess): Said {
  const said: Said = { polls: 0, faults: [], logOns: new Map(), warnings: new Map(), codes: {} };
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const [, customer] = line.match(/Logged on to context (Cust\d+) as /) ?? [];
    if (customer !== undefined) said.logOns.set(customer, (said.logOns.get(customer) ?? 0) + 1);
    else if (/ INFO .*Poll done in \d+ ms/.test(line)) said.polls++;
    if (/ (WARNING|ERROR) /.test(line)) {
      const name = line.match(/ (?:WARNING|ERROR) +(Cust\d+): /)?.[1] ?? "";
      const count = (said.warnings.get(name)?.count ?? 0) + 1;
      said.warnings.set(name, { count, last: line.slice(0, MOST_LETTERS) });
      const code = line.match(/\[([A-Z_]+)\]$/)?.[1] ?? "without a code";
      said.codes[code] = (said.codes[code] ?? 0) + 1;
    }
    const isFault =
      / ERROR |Poll broken off|UNEXPECTED\b(?!_STATUS)|should not happen| at .*\.ts:\d/.test(line);
    if (isFault) said.faults.push(line.slice(0, MOST_LETTERS));
  });
  createInterface({ input: child.stderr! }).on("line", (line) => {
    said.faults.push(`standard error: ${line.slice(0, MOST_LETTERS)}`);
  });
  return said;
}

function lastLineOf(file: string): string | undefined {
  try {
    // The very last may be half written.
    return readFileSync(file, "utf8").split("\n").at(-2);
  } catch {
    return undefined;
  }
}

function descriptorsOf(pid: number): Pick<Sample, "sockets" | "descriptors"> {
  const folder = `/proc/${pid}/fd`;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return { sockets: undefined, descriptors: undefined };
  }
  const isSocket = (name: string) => {
    try {
      return readlinkSync(join(folder, name)).startsWith("socket:");
    } catch {
      // Closed since.
      return false;
    }
  };
  return { sockets: names.filter(isSocket).length, descriptors: names.length };
}
