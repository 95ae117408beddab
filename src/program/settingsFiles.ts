import { createHash } from "node:crypto";
import { readText } from "./readText.ts";
import { mergeVariables, type Variables } from "./variables.ts";

/** What the files hold that settings come from. Secrets. */
export interface SettingsTexts {
  /** Of `.env` in the working directory; empty where there is none. */
  env: string;
  /** Of the file that SUPEROFFICE_PRIVATE_KEY_FILE names; undefined where it names none, or it cannot be read. */
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
  let seen = digestOf(await readTexts(own));
  return async () => {
    const texts = await readTexts(own);
    const digest = digestOf(texts);
    if (digest === seen) return undefined;
    seen = digest;
    return texts;
  };
}

async function readTexts(own: Variables): Promise<SettingsTexts> {
  const env = await readText(".env").catch(() => "");
  const keyFile = mergeVariables(env, own)["SUPEROFFICE_PRIVATE_KEY_FILE"];
  const key = keyFile && await readText(keyFile).catch(() => undefined);
  return { env, key };
}

function digestOf(texts: SettingsTexts): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("hex");
}
