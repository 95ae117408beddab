import { createPublicKey, type KeyObject } from "node:crypto";
import { proxyFor } from "../console/requests/proxies.ts";
import { SettingsError } from "../program/errors.ts";
import { faultOfKeyNames, readKey } from "../program/readKey.ts";
import { type InspectedSettings, inspectSettings } from "../program/settings.ts";
import { faultOfRights } from "../program/secretFile.ts";
import type { Variables } from "../program/variables.ts";
import { parsePrivateKey } from "../superoffice/privateKey.ts";
import { createSigner, type Signer } from "../superoffice/signToken.ts";
import { check, failed, type Finding, type Found } from "./findings.ts";

/** The application's key, as far as the doctor needs it. */
export interface CheckedKey {
  sign: Signer;
  publicKey: KeyObject;
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
 * @param warnings what is to be said of them beside; it is given more
 * @param needsKey whether the settings have to name a private key
 */
export async function* checkSettings(
  variables: Variables,
  warnings: string[],
  needsKey: boolean,
): AsyncGenerator<Finding, InspectedSettings> {
  const settings = inspectSettings(variables, warnings);
  const faultOfKey = namesKey(variables) || needsKey ? faultOfKeyNames(variables) : undefined;
  const faults = [...settings.faults, ...(faultOfKey === undefined ? [] : [faultOfKey])];
  if (faults.length > 0) {
    const finding = failed("settings", new SettingsError(faults));
    yield { ...finding, details: [...warnings, ...finding.details] };
  } else {
    const { loginUrl = "", run } = settings;
    const proxy = proxyFor(new URL(loginUrl), run.proxies);
    const way = proxy === undefined ? "" : `, through the proxy ${proxy.host}`;
    const text = `the login host is ${loginUrl}${way}`;
    yield { check: "settings", verdict: "passed", text, details: warnings };
  }
  return settings;
}

/** Checks the private key that the settings name, or else the demo's, and shows its public half. */
export async function* checkKey(
  variables: Variables,
  demoKey: CheckedKey | undefined,
): AsyncGenerator<Finding, CheckedKey | undefined> {
  if (demoKey !== undefined && !namesKey(variables)) {
    return yield* check("key", {}, () => showKey(demoKey, "made for this demo"));
  }
  const settings = faultOfKeyNames(variables) === undefined || undefined;
  return yield* check("key", { settings }, async () => {
    const { text, privateKey } = await readKey(variables);
    const publicKey = createPublicKey(parsePrivateKey(text));
    const shown = showKey({ sign: createSigner(privateKey), publicKey }, formOf(text));
    const fault = await faultOfRights(variables["SUPEROFFICE_PRIVATE_KEY_FILE"] ?? "");
    return { ...shown, details: [...shown.details ?? [], ...(fault === undefined ? [] : [fault])] };
  });
}

function namesKey(variables: Variables): boolean {
  return variables["SUPEROFFICE_PRIVATE_KEY"] !== undefined ||
    variables["SUPEROFFICE_PRIVATE_KEY_FILE"] !== undefined;
}

function showKey(key: CheckedKey, form: string): Found<CheckedKey> {
  const pem = key.publicKey.export({ type: "spki", format: "pem" });
  return {
    value: key,
    text: `${form}, ${key.publicKey.asymmetricKeyDetails?.modulusLength} bits; ` +
      "its public half, to compare with the one in the developer portal:",
    details: String(pem).trim().split("\n"),
  };
}

function formOf(text: string): string {
  if (text.includes("<RSAKeyValue")) return "RSAKeyValue XML";
  return text.includes("BEGIN RSA PRIVATE KEY") ? "PKCS#1 PEM" : "PKCS#8 PEM";
}
