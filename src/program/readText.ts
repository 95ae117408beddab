import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";

/** A pipe that nobody writes to, or a disk that is gone, never answers. */
const LONGEST_MS = 5000;

/** A text file is written in a way that is not read here. */
export class TextFormError extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

/**
 * Reads a text file in UTF-8, with or without a byte order mark. Throws {@link TextFormError} for one in UTF-16, as PowerShell's
 * `>` writes it, and for one that gives nothing within five seconds; and what `readFile` throws.
 */
export async function readText(path: string): Promise<string> {
  const bytes = await readInTime(path);
  const isMarked = [0xfeff, 0xfffe].includes(bytes.length < 2 ? 0 : bytes.readUInt16BE());
  if (isMarked || bytes.subarray(0, 2).includes(0)) {
    throw new TextFormError(
      "it is written in UTF-16, as PowerShell's > does",
      `Save it as UTF-8; in PowerShell: (Get-Content ${path}) | Set-Content -Encoding utf8 ${path}`,
    );
  }
  return bytes.toString().replace(/^\ufeff/, "");
}

async function readInTime(path: string): Promise<Buffer> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      void letGo(path);
      reject(
        new TextFormError(
          `nothing came from it within ${LONGEST_MS / 1000} s`,
          "See whether its disk answers; if it is a pipe, whether something writes to it.",
        ),
      );
    }, LONGEST_MS);
  });
  try {
    return await Promise.race([readFile(path), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** Who waits for somebody to write to a pipe would keep the process from ending: a writer that leaves at once ends that. */
async function letGo(path: string): Promise<void> {
  try {
    await (await open(path, constants.O_RDWR | constants.O_NONBLOCK)).close();
  } catch {
    // It is no pipe, or not ours to write to.
  }
}
