import { readFile } from "node:fs/promises";

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
 * `>` writes it, and what `readFile` throws.
 */
export async function readText(path: string): Promise<string> {
  const bytes = await readFile(path);
  const isMarked = [0xfeff, 0xfffe].includes(bytes.length < 2 ? 0 : bytes.readUInt16BE());
  if (isMarked || bytes.subarray(0, 2).includes(0)) {
    throw new TextFormError(
      "it is written in UTF-16, as PowerShell's > does",
      `Save it as UTF-8; in PowerShell: (Get-Content ${path}) | Set-Content -Encoding utf8 ${path}`,
    );
  }
  return bytes.toString().replace(/^\ufeff/, "");
}
