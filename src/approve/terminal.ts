import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** Longer than any address that a browser ends at; who pipes in more would be kept in memory. */
const LONGEST_LINE = 64 * 1024;

/** Lines that are read from the standard input. */
export interface Lines {
  close(): void;
}

/**
 * Reads the standard input line by line, without echo and without a history, until a line has no end. Ctrl-C and Ctrl-D on a
 * terminal are told; the end of a pipe is not.
 */
export function readLines(take: (line: string) => void, interrupted: () => void): Lines {
  const { stdin } = process;
  const isTerminal = stdin.isTTY === true;
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // With a terminal that is not told to, nothing is echoed: from here on readline does that.
  const reader = createInterface({
    input: stdin,
    output: nowhere,
    terminal: isTerminal,
    historySize: 0,
  });
  let isOpen = true;
  // One without an input has no lines.
  stdin.on("error", () => {});
  let length = 0;
  stdin.on("data", (part: Buffer | string) => {
    const end = Math.max(part.lastIndexOf("\n"), part.lastIndexOf("\r"));
    length = end < 0 ? length + part.length : part.length - end;
    if (length > LONGEST_LINE) stdin.destroy();
  });
  reader.on("line", take);
  reader.on("SIGINT", interrupted);
  reader.on("close", () => {
    if (isOpen && isTerminal) interrupted();
  });
  return {
    close() {
      isOpen = false;
      reader.close();
    },
  };
}
