import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** Lines that are read from the standard input. */
export interface Lines {
  close(): void;
}

/**
 * Reads the standard input line by line, without echo and without a history. Ctrl-C and Ctrl-D on a terminal are told; the end of
 * a pipe is not.
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
