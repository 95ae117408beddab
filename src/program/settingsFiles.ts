import { createHash } from "node:crypto";
import { readText } from "./readText.ts";
import { mergeVariables, type Variables } from "./variables.ts";

/** What the files hold that settings come from. Secrets. */
export interface SettingsTexts {
  /** Of `.env` in the working directory; empty where there is none. */
  env: string;
  /** Of the file that SUPEROFFICE_PRIVATE_KEY_FILE names; undefined where it names none, or there is none. */
  key: string | undefined;
}

/**
 * Gives what looks at `.env` and the key file, and gives their texts where they are not what they were the last time, else
 * undefined. Of what they held only a digest is kept.
 *
 * @param own the process's own variables, which come before those of `.env`
 */
export async function watchSettingsFiles(
  own: Variables,
): Promise<() => Promise<SettingsTexts | undefined>> {
  // What cannot be read for now has not changed.
  const look = () => readTexts(own).catch(() => undefined);
  const first = await look();
  let seen = first && digestOf(first);
  return async () => {
    const texts = await look();
    if (texts === undefined) return undefined;
    const digest = digestOf(texts);
    if (digest === seen) return undefined;
    seen = digest;
    return texts;
  };
}

async function readTexts(own: Variables): Promise<SettingsTexts> {
  const env = await readIfThere(".env") ?? "";
  const keyFile = mergeVariables(env, own)["SUPEROFFICE_PRIVATE_KEY_FILE"];
  return { env, key: keyFile && await readIfThere(keyFile) };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readText(path);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

function digestOf(texts: SettingsTexts): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("hex");
}
