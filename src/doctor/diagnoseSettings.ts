import { createPublicKey, type KeyObject } from "node:crypto";
import { PrivateKeyError, SettingsError } from "../errors.ts";
import { failed, type Finding, type Passed } from "./findings.ts";
import { importPrivateKey, parsePrivateKey } from "../privateKey.ts";
import {
  faultsOf,
  readPrivateKey,
  readRunSettings,
  type RunSettings,
  targetSchema,
  type Variables,
} from "../settings.ts";
import { createSigner, type Signer } from "../signToken.ts";

/** The application's key, as far as the doctor needs it. */
export interface CheckedKey {
  sign: Signer;
  publicKey: KeyObject;
}

/** The settings that are right; undefined stands for one that is not. */
export interface UsableSettings {
  run: RunSettings;
  databaseUrl: string | undefined;
  loginUrl: string | undefined;
  clientSecret: string | undefined;
}

const LEAST_NODE = [20, 12] as const;
const LEAST_DENO = [2, 0] as const;

/** Checks the runtime: Node 20.12, which has all that the console uses, or Deno 2. */
export function checkRuntime(versions: Record<string, string | undefined>): Finding {
  const isDeno = versions["deno"] !== undefined;
  const version = versions["deno"] ?? versions["node"] ?? "";
  const text = `${isDeno ? "Deno" : "Node.js"} ${version}`;
  const [leastMajor, leastMinor] = isDeno ? LEAST_DENO : LEAST_NODE;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) {
    return { check: "runtime", verdict: "passed", text, details: [] };
  }
  return {
    check: "runtime",
    verdict: "failed",
    text: `${text} is too old`,
    details: [`Next step: install Node.js ${LEAST_NODE.join(".")} or newer, or Deno 2.`],
  };
}

/**
 * Checks every setting but the key itself, and gives those that are right, so that what needs no other can be checked.
 *
 * @param needsKey whether the settings have to name a private key
 */
export async function checkSettings(
  variables: Variables,
  needsKey: boolean,
): Promise<{ finding: Finding; value: UsableSettings }> {
  const faults: string[] = [];
  const collect = (error: unknown): undefined => {
    if (!(error instanceof SettingsError)) throw error;
    faults.push(...error.faults);
  };
  let run = readRunSettings({});
  try {
    run = readRunSettings(variables);
  } catch (error) {
    collect(error);
  }
  const target = targetSchema.safeParse(variables);
  if (!target.success) faults.push(...faultsOf(target.error));
  if (namesKey(variables) ? namesTwoKeys(variables) : needsKey) {
    await readPrivateKey(variables).catch(collect);
  }

  const { shape } = targetSchema;
  const environment = shape.SUPEROFFICE_ENVIRONMENT.safeParse(variables["SUPEROFFICE_ENVIRONMENT"]);
  const loginUrl = shape.SUPEROFFICE_LOGIN_URL.safeParse(variables["SUPEROFFICE_LOGIN_URL"]);
  const value = {
    run,
    databaseUrl: shape.DATABASE_URL.safeParse(variables["DATABASE_URL"]).data,
    clientSecret: shape.SUPEROFFICE_CLIENT_SECRET
      .safeParse(variables["SUPEROFFICE_CLIENT_SECRET"]).data,
    loginUrl: loginUrl.success && environment.success
      ? loginUrl.data ?? `https://${environment.data}.superoffice.com`
      : loginUrl.data,
  };
  if (faults.length > 0) {
    return { finding: failed("settings", new SettingsError(faults)), value };
  }
  const text = `the login host is ${value.loginUrl}`;
  return { finding: { check: "settings", verdict: "passed", text, details: [] }, value };
}

/** Whether the settings name a private key, be it a good one or not. */
export function namesKey(variables: Variables): boolean {
  return variables["SUPEROFFICE_PRIVATE_KEY"] !== undefined ||
    variables["SUPEROFFICE_PRIVATE_KEY_FILE"] !== undefined;
}

/** Whether the settings name two private keys, of which none can be chosen. */
export function namesTwoKeys(variables: Variables): boolean {
  return variables["SUPEROFFICE_PRIVATE_KEY"] !== undefined &&
    variables["SUPEROFFICE_PRIVATE_KEY_FILE"] !== undefined;
}

/**
 * Checks the private key that the settings name, and shows its public half.
 * Throws {@link PrivateKeyError} with the variable's name, what was found and how to mend it.
 *
 * @param readText reads a file
 * @see SuperOffice's page "How to sign a system user token" (PROTOCOL.md §2)
 */
export async function checkKey(
  variables: Variables,
  readText: (path: string) => Promise<string>,
): Promise<Passed<CheckedKey>> {
  const path = variables["SUPEROFFICE_PRIVATE_KEY_FILE"];
  const name = path === undefined ? "SUPEROFFICE_PRIVATE_KEY" : "SUPEROFFICE_PRIVATE_KEY_FILE";
  try {
    const text = variables["SUPEROFFICE_PRIVATE_KEY"] ?? await readKeyFile(path ?? "", readText);
    const publicKey = createPublicKey(parsePrivateKey(text));
    return showKey({ sign: createSigner(await importPrivateKey(text)), publicKey }, formOf(text));
  } catch (error) {
    if (!(error instanceof PrivateKeyError)) throw error;
    throw new PrivateKeyError(`${name}: ${error.message}`, error.remedy, { cause: error });
  }
}

/** Says what a key is, with its public half as PEM. */
export function showKey(key: CheckedKey, form: string): Passed<CheckedKey> {
  const pem = key.publicKey.export({ type: "spki", format: "pem" });
  return {
    value: key,
    text: `${form}, ${key.publicKey.asymmetricKeyDetails?.modulusLength} bits; ` +
      "its public half, to compare with the one in the developer portal:",
    details: [String(pem).trim()],
  };
}

async function readKeyFile(
  path: string,
  readText: (path: string) => Promise<string>,
): Promise<string> {
  try {
    return await readText(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : code ?? message;
    throw new PrivateKeyError(
      `${path} cannot be read: ${reason}`,
      "Check the path (one without a slash in front starts at the working directory), and that this user may read it.",
      { cause },
    );
  }
}

function formOf(text: string): string {
  if (text.includes("<RSAKeyValue")) return "RSAKeyValue XML";
  return text.includes("BEGIN RSA PRIVATE KEY") ? "PKCS#1 PEM" : "PKCS#8 PEM";
}
