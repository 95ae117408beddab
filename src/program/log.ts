import {
  configure,
  dispose,
  getAnsiColorFormatter,
  getLogger,
  getTextFormatter,
  type Logger,
  type LogLevel,
  type LogRecord,
  type Sink,
} from "@logtape/logtape";
import { SettingsError } from "./errors.ts";

/** How the console's log is written. */
export interface LogSettings {
  level: LogLevel;
  /** `text` for people, `json` for programs: one object a line, its properties beside its message. */
  format: "text" | "json";
  /** `logs/console.log` makes a file a day: `logs/console-2026-11-24.log`. */
  file: string | undefined;
  /** How many days those files are kept. */
  keepDays: number;
}

/**
 * Sets the log up and gives the console's logger. What a line says goes through `redact`.
 * Throws {@link SettingsError} when the log file cannot be opened.
 *
 * @param write takes one line at a time, with its line break
 * @param isTerminal whether somebody looks at the lines, who likes colours and short times
 */
export async function openLog(
  { level, format, file, keepDays }: LogSettings,
  redact: (text: string) => string,
  write: (line: string) => void,
  isTerminal = false,
): Promise<Logger> {
  const toLine = format === "json" ? jsonFormatter(redact) : textFormatter(redact);
  const toConsole = isTerminal && format === "text" ? terminalFormatter(redact) : toLine;
  const sinks: Record<string, Sink> = { console: (record) => write(toConsole(record)) };
  if (file !== undefined) sinks["file"] = await openFileSink(file, keepDays, toLine);
  await configure({
    reset: true,
    sinks,
    loggers: [
      { category: ["console"], lowestLevel: level, sinks: Object.keys(sinks) },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["console"] },
    ],
  });
  return getLogger(["console"]);
}

/** Writes what the log file still lacks. */
export async function closeLog(): Promise<void> {
  await dispose();
}

async function openFileSink(
  path: string,
  keepDays: number,
  toLine: (record: LogRecord) => string,
): Promise<Sink & AsyncDisposable> {
  const { openLogFile } = await import("./logFile.ts");
  const tell = (reason: string) => {
    const message =
      "The log file {file} cannot be written: {reason}. Look whether the disk is full, or the folder's " +
      "rights have changed; the lines are kept for now, and it is tried again each second.";
    getLogger(["console"]).warn(message, { file: path, reason });
  };
  try {
    const file = await openLogFile(path, keepDays, tell);
    const sink = (record: LogRecord) => file.write(toLine(record));
    return Object.assign(sink, { [Symbol.asyncDispose]: file.close });
  } catch (error) {
    throw new SettingsError([`LOG_FILE: ${path} cannot be written: ${(error as Error).message}`]);
  }
}

type Formatter = (record: LogRecord) => string;

function textFormatter(redact: (text: string) => string): Formatter {
  return getTextFormatter({
    timestamp: (at) => new Date(at).toISOString(),
    level: (level) => level.toUpperCase().padEnd("WARNING".length),
    value: "bare",
    format: ({ timestamp, level, message, record }) =>
      `${timestamp} ${level} ${whoseLine(record)}${redact(message)}`,
  });
}

function terminalFormatter(redact: (text: string) => string): Formatter {
  return getAnsiColorFormatter({
    timestamp: (at) => new Date(at).toLocaleTimeString("sv"),
    timestampStyle: "dim",
    level: (level) => MARKS[level],
    levelStyle: "bold",
    // Without colours of its own, which the next line would make harmless and thereby visible.
    value: (value, inspect) =>
      typeof value === "string" ? value : inspect(value, { colors: false }),
    format: ({ timestamp, level, message, record }) => {
      const text = whoseLine(record) + redact(message);
      return `${timestamp} ${level} ${record.level === "debug" ? `\x1b[2m${text}\x1b[0m` : text}`;
    },
  });
}

/** Which console says it, where there are several in one log. */
function whoseLine({ properties: { console } }: LogRecord): string {
  return typeof console === "number" ? `console ${console}: ` : "";
}

const MARKS: Record<LogLevel, string> = {
  trace: "·",
  debug: "·",
  info: "✓",
  warning: "!",
  error: "✗",
  fatal: "✗",
};

function jsonFormatter(redact: (text: string) => string): Formatter {
  const safe = (_: string, value: unknown) => typeof value === "string" ? redact(value) : value;
  const toMessage = getTextFormatter({ value: "bare", format: ({ message }) => message });
  return (record) => {
    const { timestamp, level, properties } = record;
    const message = toMessage(record).trimEnd();
    const line = { time: new Date(timestamp).toISOString(), level, message };
    const whole = { ...line, ...properties };
    const isSafe = (json: string | undefined) => json !== undefined && redact(json) === json;
    // Mostly there is nothing to hide. Where a property's name is not safe either, the message has to do.
    const json = [toJson(whole), toJson(whole, safe)].find(isSafe) ?? toJson(line, safe);
    return `${json}\n`;
  };
}

/** Undefined for what JSON cannot hold, which a script may give. */
function toJson(line: object, replacer = (_: string, value: unknown) => value): string | undefined {
  const replace = (name: string, value: unknown) =>
    typeof value === "bigint" ? String(value) : replacer(name, value);
  try {
    return JSON.stringify(line, replace);
  } catch {
    return undefined;
  }
}
