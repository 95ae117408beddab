import type { Progress } from "../console/wanted.ts";

/** A terminal's last line that rewrites itself, below the log lines. */
export interface StatusLine {
  /** Writes a log line above it. */
  print(text: string): void;
  /** Shows how far a poll is, when it has been going on for a while. */
  tell(done: number, total: number, elapsedMs: number): void;
  /** Takes the line away. */
  clear(): void;
}

const SHOWN_AFTER_MS = 2000;
const ERASE_LINE = "\r\x1b[2K";

/** @param write writes to the terminal */
export function createStatusLine(write: (text: string) => void): StatusLine {
  let shown = "";
  return {
    print(text) {
      write(shown === "" ? text : `${ERASE_LINE}${text}${shown}`);
    },
    tell(done, total, elapsedMs) {
      if (elapsedMs < SHOWN_AFTER_MS) return;
      const next = `${done} of ${total} customers done, ${Math.round(elapsedMs / 1000)} s`;
      if (next !== shown) write(`${ERASE_LINE}${next}`);
      shown = next;
    },
    clear() {
      if (shown !== "") write(ERASE_LINE);
      shown = "";
    },
  };
}

/** Shows polls' progress on the status line, of as many customers as `total` says. */
export function showProgress(statusLine: StatusLine, total: () => Promise<number>): Progress {
  let expected = 0;
  return {
    begin: () => void total().then((count) => expected = count, () => {}),
    tell: (done, elapsedMs) => statusLine.tell(done, Math.max(done, expected), elapsedMs),
    end: statusLine.clear,
  };
}
