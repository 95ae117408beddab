import { mkdir, open, readdir, unlink } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";

/** The log's files, one a day. */
export interface LogFile {
  /** Has a line written within a second. */
  write(line: string): void;
  /** Writes what is left. */
  close(): Promise<void>;
}

const FLUSH_MS = 1000;
const DAY_MS = 24 * 3600 * 1000;
/** What is kept while nothing can be written. */
const MOST_LETTERS = 4 * 1024 * 1024;
/** How long a trouble that goes on is not told again. */
const TOLD_MS = 10 * 60 * 1000;

/**
 * Opens the log's files: `logs/console.log` makes `logs/console-2026-11-24.log`, and the folder where it is missing. A file that
 * cannot be written any more is told, and opened again as soon as that works; what was to be written meanwhile is kept, to a
 * limit. Throws what opening the first file throws.
 *
 * @param keepDays for how many days the files are kept
 * @param tell says that it cannot be written, and why; told again every ten minutes
 */
export async function openLogFile(
  path: string,
  keepDays: number,
  tell: (reason: string) => void,
): Promise<LogFile> {
  const naming = namingOf(path);
  let waiting = "";
  let lost = 0;
  let rest: Uint8Array = new Uint8Array();
  let toldAt = -Infinity;
  let day = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> | undefined;

  async function append(): Promise<void> {
    const today = localDate(new Date());
    await mkdir(naming.folder, { recursive: true, mode: 0o700 });
    // Opened each time, since it may have been moved or removed. It is its owner's alone.
    const name = `${naming.prefix}${today}${naming.ending}`;
    const file = await open(join(naming.folder, name), "a", 0o600);
    try {
      if (rest.length === 0) {
        const note = lost > 0 ? `(${lost} lines could not be written.)\n` : "";
        rest = Buffer.from(note + waiting);
        waiting = "";
        lost = 0;
      }
      // A disk that gets full takes a part.
      while (rest.length > 0) rest = rest.subarray((await file.write(rest)).bytesWritten);
    } finally {
      await file.close();
    }
    if (day === today) return;
    await removeOlderThan(localDate(new Date(Date.now() - keepDays * DAY_MS)), naming);
    day = today;
  }

  async function writeWaiting(): Promise<void> {
    try {
      await append();
      toldAt = -Infinity;
    } catch (error) {
      if (performance.now() - toldAt < TOLD_MS) return;
      toldAt = performance.now();
      tell((error as Error).message);
    }
  }

  function start(): void {
    timer = undefined;
    writing = writeWaiting().finally(() => {
      writing = undefined;
      startSoon();
    });
  }

  function startSoon(): void {
    if (writing === undefined && waiting.length + rest.length > 0) {
      timer ??= setTimeout(start, FLUSH_MS);
    }
  }

  await append();
  return {
    write(line) {
      if (waiting.length + line.length > MOST_LETTERS) lost++;
      else waiting += line;
      startSoon();
    },
    async close() {
      await writing;
      if (waiting.length + rest.length > 0) await writeWaiting();
      // What came meanwhile, such as that it cannot be written, may not keep the process.
      clearTimeout(timer);
    },
  };
}

interface Naming {
  folder: string;
  prefix: string;
  ending: string;
}

function namingOf(path: string): Naming {
  const ending = extname(path);
  return { folder: dirname(path), prefix: `${basename(path, ending)}-`, ending };
}

async function removeOlderThan(day: string, { folder, prefix, ending }: Naming): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith(ending)) continue;
    const date = name.slice(prefix.length, name.length - ending.length);
    if (/^\d{4}-\d\d-\d\d$/.test(date) && date < day) {
      // One that cannot be removed is no reason not to write.
      await unlink(join(folder, name)).catch(() => {});
    }
  }
}

function localDate(day: Date): string {
  const twoDigits = (number: number) => String(number).padStart(2, "0");
  return `${day.getFullYear()}-${twoDigits(day.getMonth() + 1)}-${twoDigits(day.getDate())}`;
}
