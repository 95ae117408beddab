// Runs the whole console as a child process, on the runtime that runs the tests.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cleanEnvironment } from "./cleanEnvironment.ts";
import { endWithFile } from "./leftRunning.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PATIENCE_MS = 60_000;
const MAIN = join(ROOT, "src/main.ts");
const TYPESCRIPT = new URL("typescript.mjs", import.meta.url).href;

export interface ChildConsole {
  /** All that was printed so far, standard output and error together. */
  output(): string;
  /** Resolves when a line matches, as often as asked for; rejects when the console ends before. */
  waitFor(pattern: RegExp, times?: number): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Ends it at once, where it has not ended already. */
  kill(): void;
  /** Types this on its standard input, where it has one. */
  type(text: string): void;
  /** Leaves what is printed unread, until it is read on. */
  stopReading(): void;
  readOn(): void;
  /** The exit code, when all was read that it printed. */
  ended: Promise<number | null>;
  /** Resolves when it has ended, whether or not all was read. */
  exited: Promise<unknown>;
}

/** Starts the console (or another entry file) in an empty folder, with nothing but these variables. */
export function startConsole(
  args: string[],
  variables: Record<string, string>,
  cwd = emptyFolder(),
  entry = MAIN,
): ChildConsole {
  return startCommand([...runtime(entry), ...args], variables, cwd);
}

/** Starts a command that runs the console: a shell, for example, with something around it. */
export function startCommand(
  [command = "", ...args]: string[],
  variables: Record<string, string>,
  cwd = emptyFolder(),
  hasInput = false,
): ChildConsole {
  const child = spawn(command, args, {
    cwd,
    env: cleanEnvironment(variables),
    stdio: [hasInput ? "pipe" : "ignore", "pipe", "pipe"],
  });
  // It may read no further.
  child.stdin?.on("error", () => {});
  return watch(child);
}

/** Runs the console to its end. */
export async function runConsole(
  args: string[],
  variables: Record<string, string>,
  cwd?: string,
  entry?: string,
): Promise<{ exitCode: number | null; output: string }> {
  const child = startConsole(args, variables, cwd, entry);
  const exitCode = await child.ended;
  return { exitCode, output: child.output() };
}

export function emptyFolder(): string {
  return mkdtempSync(join(tmpdir(), "console-test-"));
}

/** The command that runs an entry file on this runtime. */
export function runtime(entry = MAIN): string[] {
  if ("Deno" in globalThis && entry === MAIN) {
    // As `deno task start` does.
    const start = ["--quiet", "--no-prompt", "--allow-env", "--allow-read", "--allow-run"];
    const config = ["--config", join(ROOT, "deno.json")];
    return [process.execPath, "run", ...config, ...start, join(ROOT, "src/fence.ts"), "main.ts"];
  }
  if ("Deno" in globalThis) {
    const permissions = [
      "--allow-env",
      "--allow-net",
      "--allow-read",
      "--allow-sys",
      "--allow-write",
    ];
    const config = ["--config", join(ROOT, "deno.json")];
    return [process.execPath, "run", "--quiet", "--no-prompt", ...config, ...permissions, entry];
  }
  const stripsTypes = "typescript" in process.features && process.features.typescript;
  return stripsTypes
    ? [process.execPath, entry]
    : [process.execPath, "--import", TYPESCRIPT, entry];
}

function watch(child: ChildProcess): ChildConsole {
  let output = "";
  let hasEnded = false;
  const listeners = new Set<() => void>();
  endWithFile(() => child.kill("SIGKILL"));
  const tell = () => listeners.forEach((listener) => listener());
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      tell();
    });
  }
  const ended = new Promise<number | null>((resolve) => {
    // On Deno nothing else keeps the test waiting between the end of the output and that of the child.
    const awake = setInterval(() => {}, PATIENCE_MS);
    child.once("close", (code) => {
      clearInterval(awake);
      hasEnded = true;
      tell();
      resolve(code);
    });
  });
  return {
    output: () => output,
    ended,
    exited: new Promise((resolve) => child.once("exit", resolve)),
    // Not child.kill: Deno then reports the signal in place of the exit code.
    signal: (name) => void process.kill(child.pid!, name),
    kill: () => void child.kill("SIGKILL"),
    type: (text) => void child.stdin?.write(text),
    stopReading: () => [child.stdout, child.stderr].forEach((stream) => stream?.pause()),
    readOn: () => [child.stdout, child.stderr].forEach((stream) => stream?.resume()),
    waitFor: (pattern, times = 1) =>
      new Promise((resolve, reject) => {
        const matches = (text: string) =>
          text.split("\n").filter((line) => pattern.test(line)).length;
        // What never comes must fail, not hang.
        const guard = setTimeout(() => {
          child.kill("SIGKILL");
          reject(new Error(`${pattern} did not come in time; the output was:\n${output}`));
        }, PATIENCE_MS);
        let looked = 0;
        let count = 0;
        const look = () => {
          // Each whole line is looked at once: there can be many.
          const end = output.lastIndexOf("\n");
          count += matches(output.slice(looked, Math.max(looked, end)));
          looked = Math.max(looked, end);
          if (count + matches(output.slice(looked)) >= times) resolve();
          else if (hasEnded) {
            reject(new Error(`${pattern} did not come; the output was:\n${output}`));
          } else return;
          clearTimeout(guard);
          listeners.delete(look);
        };
        listeners.add(look);
        look();
      }),
  };
}
