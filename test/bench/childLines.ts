// A child process that answers in JSON, one object a line.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface ChildLines {
  /** The next line that it prints; rejects when it ends first. */
  next<T>(): Promise<T>;
  /** Sends it an empty line. */
  ask(): void;
  /** Closes its standard input, and waits for its end. */
  close(): Promise<void>;
}

export function startChild(command: string[], file: string, input: unknown): ChildLines {
  const [program = "", ...before] = command;
  const args = [...before, file, JSON.stringify(input)];
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    async next() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${file} ended without an answer`);
      return JSON.parse(value);
    },
    ask: () => void child.stdin.write("\n"),
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

/** Runs it to its end, for its one line. */
export async function askChild<T>(command: string[], file: string, input: unknown): Promise<T> {
  const child = startChild(command, file, input);
  const answer = await child.next<T>();
  await child.close();
  return answer;
}
