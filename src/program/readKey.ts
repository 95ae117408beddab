import { PrivateKeyError } from "../superoffice/errors.ts";
import { importPrivateKey } from "../superoffice/privateKey.ts";
import { readText } from "./readText.ts";
import type { Variables } from "./variables.ts";

/** What is wrong with how the variables name the private key: it takes one of the two. */
export function faultOfKeyNames(variables: Variables): string | undefined {
  const { SUPEROFFICE_PRIVATE_KEY: text, SUPEROFFICE_PRIVATE_KEY_FILE: path } = variables;
  if (text !== undefined && path !== undefined) {
    return "SUPEROFFICE_PRIVATE_KEY and SUPEROFFICE_PRIVATE_KEY_FILE: both are set; expected one of them";
  }
  if (text !== undefined || path !== undefined) return undefined;
  return "SUPEROFFICE_PRIVATE_KEY or SUPEROFFICE_PRIVATE_KEY_FILE: missing; expected the application's private " +
    "key (XML or PEM text), or the path of a file that holds it";
}

/**
 * Reads the private key that the variables name. Throws {@link PrivateKeyError} with the variable's name.
 *
 * @param keyText what the key file holds, where somebody else read it
 */
export async function readKey(
  variables: Variables,
  keyText?: string,
): Promise<{ text: string; privateKey: CryptoKey }> {
  const path = variables["SUPEROFFICE_PRIVATE_KEY_FILE"];
  const name = path === undefined ? "SUPEROFFICE_PRIVATE_KEY" : "SUPEROFFICE_PRIVATE_KEY_FILE";
  try {
    const text = variables["SUPEROFFICE_PRIVATE_KEY"] ?? keyText ?? await readKeyFile(path ?? "");
    return { text, privateKey: await importPrivateKey(text) };
  } catch (error) {
    if (!(error instanceof PrivateKeyError)) throw error;
    throw new PrivateKeyError(`${name}: ${error.message}`, error.remedy, { cause: error });
  }
}

const CHECK_THE_PATH =
  "Check the path (one without a slash in front starts at the working directory), and that this user may read it.";

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
};

async function readKeyFile(path: string): Promise<string> {
  try {
    return await readText(path);
  } catch (cause) {
    const { code, message, remedy = CHECK_THE_PATH } = cause as NodeJS.ErrnoException & {
      remedy?: string;
    };
    const reason = REASONS[code ?? ""] ?? code ?? message;
    const looksLikeKey = path.length > 255 || /^MI[IGE]|KEY-----|<RSA|\n/.test(path);
    const shown = looksLikeKey ? "the value (it looks like a key, not like a path)" : path;
    throw new PrivateKeyError(`${shown} cannot be read: ${reason}`, remedy, { cause });
  }
}
