import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { sleep } from "../console/sleep.ts";
import { readText, type TextFormError } from "./readText.ts";
import { mergeVariables, type Variables } from "./variables.ts";

/** What the files hold that settings come from. Secrets. */
export interface SettingsTexts {
  /** Of `.env` in the working directory; empty where there is none. */
  env: string;
  /** Of the file that SUPEROFFICE_PRIVATE_KEY_FILE names; undefined where it names none, or there is none. */
  key: string | undefined;
}

/** Why they cannot be read, for people. */
export interface SettingsFault {
  fault: string;
}

/** A disk that is gone may never answer. */
const LONGEST_LOOK_MS = 1000;

/**
 * Gives what looks at `.env` and the key file, and gives their texts, or why they cannot be read, where that is not what it was
 * the last time, else undefined. Of what they held only a digest is kept. What is no plain file, such as a pipe, can be read
 * once, and does not change.
 *
 * @param own the process's own variables, which come before those of `.env`
 */
export async function watchSettingsFiles(
  own: Variables,
): Promise<() => Promise<SettingsTexts | SettingsFault | undefined>> {
  let reading: Promise<SettingsTexts | SettingsFault> | undefined;
  async function look(): Promise<SettingsTexts | SettingsFault | undefined> {
    reading ??= readTexts(own).finally(() => reading = undefined);
    const ended = new AbortController();
    const given = await Promise.race([reading, sleep(LONGEST_LOOK_MS, ended.signal)]);
    ended.abort();
    return given ?? undefined;
  }
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

async function readTexts(own: Variables): Promise<SettingsTexts | SettingsFault> {
  let path = ".env";
  try {
    const env = await readIfThere(path) ?? "";
    const keyFile = mergeVariables(env, own)["SUPEROFFICE_PRIVATE_KEY_FILE"];
    if (keyFile === undefined) return { env, key: undefined };
    path = keyFile;
    return { env, key: await readIfThere(path) };
  } catch (error) {
    const { message, remedy } = error as TextFormError;
    return {
      fault: `${path} cannot be read: ${message}${remedy === undefined ? "" : `. ${remedy}`}`,
    };
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await stat(path)).isFile() ? await readText(path) : undefined;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

function digestOf(texts: SettingsTexts | SettingsFault): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("hex");
}
