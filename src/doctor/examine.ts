import process from "node:process";
import { createHttpClient } from "../console/requests/httpClient.ts";
import type { Secrets } from "../console/wanted.ts";
import { openDatabase } from "../database/connection.ts";
import { inspectSettings } from "../program/settings.ts";
import type { Variables } from "../program/variables.ts";
import type { CheckedKey } from "./checkSettings.ts";
import { diagnose } from "./diagnose.ts";
import { formatFinding } from "./findings.ts";

/**
 * Examines all that a log-on needs, and prints what was found as it is found. Gives whether all is well.
 *
 * @param warnings what is to be said of the variables beside
 * @param customer the context identifier of the customer to check; undefined for the first active one
 * @param demoKey the key to use where the variables name none
 * @param secrets learns the customer's secret before a finding could hold it
 */
export async function examine(
  variables: Variables,
  warnings: string[],
  customer: string | undefined,
  demoKey: CheckedKey | undefined,
  secrets: Secrets,
  print: (text: string) => Promise<void>,
): Promise<boolean> {
  const { run } = inspectSettings(variables);
  const findings = diagnose({
    variables,
    warnings,
    customer,
    demoKey,
    versions: process.versions,
    openDatabase,
    send: createHttpClient(new AbortController().signal, undefined, run.proxies),
    now: () => new Date(),
    secrets,
  });
  let isWell = true;
  for await (const finding of findings) {
    isWell &&= finding.verdict === "passed";
    await print(formatFinding(finding));
  }
  const which = demoKey === undefined ? "" : " with the demo; your own settings were not looked at";
  await print(isWell ? `All is well${which}.\n` : "The first ✗ is the one to mend first.\n");
  return isWell;
}
