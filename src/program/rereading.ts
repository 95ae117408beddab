// The portal allows one secret and one certificate for each environment: who replaces them does so under way.
import process from "node:process";
import type { Logger } from "@logtape/logtape";
import type { Secrets } from "../console/wanted.ts";
import { SettingsError } from "./errors.ts";
import { readSettings, type Target } from "./settings.ts";
import { type SettingsFault, type SettingsTexts, watchSettingsFiles } from "./settingsFiles.ts";
import { mergeVariables, OWN_VARIABLES, secretsOf, type Variables } from "./variables.ts";

/** Whether client secret or private key were replaced since the last time that it was asked. */
export type TakeNewSettings = () => Promise<boolean>;

const TAKEN_UNDER_WAY = [
  "SUPEROFFICE_CLIENT_SECRET",
  "SUPEROFFICE_PRIVATE_KEY",
  "SUPEROFFICE_PRIVATE_KEY_FILE",
];

/** Anything else that stands before a `=` may be a line of a key. */
function known(names: string[]): string[] {
  return names.filter((name) => OWN_VARIABLES.includes(name));
}

/**
 * Follows `.env` and the key file: whenever it is asked, and on SIGHUP, what changed there is read, and `target` holds the new
 * client secret and private key from then on. Wrong new settings are refused in words, and the old ones kept; what else changed
 * is for the next start. On Deno the process may not read these files any more: fence.ts, which started it, says what changed.
 *
 * @param own the process's own variables, which come before those of `.env`
 * @param variables what both come to now
 * @param target is changed in place: who signs and sends looks there each time
 */
export async function followSettings(
  own: Variables,
  variables: Variables,
  target: Target,
  secrets: Secrets,
  log: Logger,
): Promise<TakeNewSettings> {
  let hasNews = false;
  let last = variables;

  async function take(texts: SettingsTexts | SettingsFault): Promise<void> {
    if ("fault" in texts) {
      log.warn("The settings changed; the old ones stay in use. {problem}", {
        problem: texts.fault,
      });
      return;
    }
    const changed = mergeVariables(texts.env, own);
    for (const secret of secretsOf(changed)) secrets.add(secret);
    const names = Object.keys({ ...last, ...changed }).filter((name) =>
      last[name] !== changed[name]
    );
    try {
      const settings = await readSettings(changed, [], texts.key);
      const { loginUrl, clientSecret, privateKey } = settings.target;
      secrets.add(clientSecret);
      if (loginUrl !== target.loginUrl) {
        log.warn(
          "SUPEROFFICE_ENVIRONMENT or SUPEROFFICE_LOGIN_URL changed: that counts from the next start, and with it client " +
            "secret and private key, which are not meant for the login host of now.",
        );
        return;
      }
      Object.assign(target, { clientSecret, privateKey });
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      log.warn("The settings changed, and are not right; the old ones stay in use. {problem}", {
        problem: error.faults.join("; "),
      });
      return;
    }
    hasNews = true;
    const others = known(names).filter((name) => !TAKEN_UNDER_WAY.includes(name)).sort();
    if (names.length === 0 || names.some((name) => TAKEN_UNDER_WAY.includes(name))) {
      log.info("The settings changed: client secret and private key were read again.");
    }
    last = changed;
    if (others.length > 0) {
      log.warn("{names}: what changed there counts from the next start.", {
        names: others.join(", "),
      });
    }
  }

  const look = isFenced() ? undefined : await watchSettingsFiles(own);
  async function lookNow(): Promise<void> {
    const texts = await look?.();
    if (texts !== undefined) await take(texts);
  }
  // At a terminal it says that the terminal is gone, which ends the process.
  if (!process.stdout.isTTY) process.on("SIGHUP", () => void lookNow());
  if (isFenced()) {
    process.on("message", (texts) => void take(texts as SettingsTexts | SettingsFault));
  }

  return async () => {
    await lookNow();
    const isNew = hasNews;
    hasNews = false;
    return isNew;
  };
}

/** Whether fence.ts started this process, and reads for it what it may not. */
function isFenced(): boolean {
  return "Deno" in globalThis && process.send !== undefined;
}
