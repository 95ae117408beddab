import type { Logger } from "@logtape/logtape";
import { openLog } from "../../src/program/log.ts";

/** A line of the log, with its properties. */
export interface JsonLine {
  level: string;
  message: string;
  [property: string]: unknown;
}

/** Opens the log, with nothing hidden, so that each line is given as what its JSON says. */
export function openJsonLog(take: (line: JsonLine) => void): Promise<Logger> {
  return openLog(
    { level: "debug", format: "json", file: undefined, keepDays: 1 },
    (text) => text,
    (line) => take(JSON.parse(line)),
  );
}
