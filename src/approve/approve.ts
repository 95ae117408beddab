// Has a customer's administrator approve the application, stores what comes of it, and logs on once.
import process from "node:process";
import { openDatabase } from "../database/connection.ts";
import { assertMayStore, findCustomer } from "../database/customerTable.ts";
import {
  type ApprovalSettings,
  readApprovalSettings,
  readDemoApproval,
} from "../program/approvalSettings.ts";
import type { CustomersRequest } from "../program/customersCommandLine.ts";
import { findDemo } from "../program/demo.ts";
import { write } from "../program/exit.ts";
import { hasScreen, SCREEN_VARIABLES } from "../program/openBrowser.ts";
import { readRunSettings } from "../program/settings.ts";
import type { Variables } from "../program/variables.ts";
import { isLoopback } from "../superoffice/trustedHost.ts";
import { type Applicant, createApplicant } from "./applicant.ts";
import type { Discretion } from "./desk.ts";
import { CustomerExistsError } from "./errors.ts";
import { createInterrupt, interrupted } from "./interrupt.ts";
import { sayStopped, waitForApprovals } from "./wait.ts";

const DEFAULT_MINUTES = 10;

/** Does what the command line asks for, and gives the exit code. */
export async function approve(
  request: CustomersRequest,
  variables: Variables,
  warnings: string[],
  discretion: Discretion,
): Promise<number> {
  const startDemo = findDemo(request.options.has("demo"), variables);
  if (startDemo === undefined) {
    const settings = await readApprovalSettings(variables, warnings);
    return await approveWith(settings, request, discretion);
  }
  await say(
    "This is a demo: sample customers and a stand-in for SuperOffice, all on this machine.",
  );
  const { target, clientId, isJoined, close } = await startDemo("joins");
  try {
    discretion.secrets.add(target.clientSecret);
    await say(
      isJoined
        ? "It joins the demo that runs already, which logs on to whoever approves at its next poll."
        : "What is stored is gone at its end; while npm run demo runs elsewhere, that one takes whoever approves.",
    );
    const run = readRunSettings(variables);
    const settings = { run, target, ...readDemoApproval(variables, clientId) };
    return await approveWith(settings, request, discretion);
  } finally {
    await close();
  }
}

async function approveWith(
  settings: ApprovalSettings,
  { customers: [customer], options, minutes }: CustomersRequest,
  discretion: Discretion,
): Promise<number> {
  const { target, listening } = settings;
  const isKeptOpen = options.has("keep-open");
  const replaces = options.has("replace");
  const interrupt = createInterrupt();
  const database = openDatabase(target.databaseUrl);
  /** What fails without anybody's help fails before somebody is asked for it. */
  async function prepare(): Promise<Applicant> {
    const [found] = await findCustomer(customer ?? "", database);
    if (found !== undefined && !replaces) throw new CustomerExistsError(`${found} exists already`);
    // One that replaces needs to add nothing, unless it is known that there is nothing to replace.
    const adds = !replaces || (customer !== undefined && found === undefined);
    await assertMayStore({ adds, replaces }, database);
    return await createApplicant(settings, { customer, replaces }, database);
  }
  try {
    const applicant = await Promise.race([prepare(), interrupted(interrupt)]);
    if (applicant === "stopped") return await sayStopped();
    const waiting = {
      listening,
      isKeptOpen,
      minutes: minutes ?? (isKeptOpen ? undefined : DEFAULT_MINUTES),
      opensBrowser: !options.has("no-open") && isLoopback(new URL(listening.redirectUrl)) &&
        hasScreen(screen(), process.platform),
    };
    return await waitForApprovals(applicant, waiting, discretion, interrupt);
  } finally {
    // After a Ctrl-C nothing is asked of it any more that somebody waits for.
    await database.end({ timeout: interrupt.signal.aborted ? 0 : 5 });
    await interrupt.mayEnd();
  }
}

/** Read by name: on Deno the environment is not to be had as a whole. */
function screen(): Variables {
  return Object.fromEntries(SCREEN_VARIABLES.map((name) => [name, process.env[name]]));
}

async function say(line: string): Promise<void> {
  await write(process.stdout, `${line}\n`);
}
