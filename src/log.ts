import {
  configure,
  getJsonLinesFormatter,
  getLogger,
  getTextFormatter,
  type Logger,
  type LogLevel,
} from "@logtape/logtape";
import type { Redact } from "./redact.ts";

/** How the console's log is written. */
export interface LogSettings {
  level: LogLevel;
  /** `text` for people, `json` for programs: one object a line, its properties beside its message. */
  format: "text" | "json";
}

/**
 * Sets the log up and gives the console's logger. Every line goes through `redact`.
 *
 * @param write takes one line at a time, with its line break
 */
export async function openLog(
  { level, format }: LogSettings,
  redact: Redact,
  write: (line: string) => void,
): Promise<Logger> {
  const formatted = format === "json"
    ? getJsonLinesFormatter({ properties: "flatten" })
    : getTextFormatter({
      timestamp: (at) => new Date(at).toISOString(),
      level: (level) => level.toUpperCase().padEnd(7),
      value: "bare",
      format: ({ timestamp, level, message }) => `${timestamp} ${level} ${message}`,
    });
  await configure({
    reset: true,
    sinks: { console: (record) => write(redact(formatted(record))) },
    loggers: [
      { category: ["console"], lowestLevel: level, sinks: ["console"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["console"] },
    ],
  });
  return getLogger(["console"]);
}
