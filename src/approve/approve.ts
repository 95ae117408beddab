// Waits for a customer's administrator to approve the application, stores what comes of it, and logs on once.
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { createHttpClient } from "../console/requests/httpClient.ts";
import { type Database, openDatabase } from "../database/connection.ts";
import { findCustomer } from "../database/customerTable.ts";
import {
  type ApprovalSettings,
  readApprovalSettings,
  readDemoApproval,
} from "../program/approvalSettings.ts";
import type { CustomersRequest } from "../program/customersCommandLine.ts";
import { findDemo } from "../program/demo.ts";
import { EXIT_FAILED, EXIT_OK, write } from "../program/exit.ts";
import { explain } from "../program/explain.ts";
import type { KnownSecrets } from "../program/knownSecrets.ts";
import { hasScreen, openBrowser, SCREEN_VARIABLES } from "../program/openBrowser.ts";
import type { Redact } from "../program/redact.ts";
import { readRunSettings } from "../program/settings.ts";
import type { Variables } from "../program/variables.ts";
import { createSuperOffice } from "../superoffice/createSuperOffice.ts";
import { createKeySet } from "../superoffice/keySet.ts";
import { createSigner } from "../superoffice/signToken.ts";
import { isLoopback } from "../superoffice/trustedHost.ts";
import { CustomerExistsError, NobodyCameError, type StateRefusedError } from "./errors.ts";
import { askForApproval, readLoginHost } from "./flow.ts";
import { createInterrupt } from "./interrupt.ts";
import { listen } from "./listen.ts";
import { linesOf, pageOf } from "./outcome.ts";
import { readPasted } from "./pasted.ts";
import { createPendings } from "./pending.ts";
import { createSettle, type Outcome } from "./settle.ts";
import { createSite, ownAddress, randomId, refusal, take } from "./site.ts";
import { readLines } from "./terminal.ts";

/** What hides secrets. */
export interface Discretion {
  secrets: KnownSecrets;
  redact: Redact;
}

const DEFAULT_MINUTES = 10;
/** Far more than administrators at once; and as long as one may take to sign in and decide. */
const MOST_PENDING = 1000;
const PENDING_MS = 60 * 60_000;
/** Whoever floods the listener does not flood the terminal. */
const MOST_REFUSALS_SAID = 20;
/** How long the last page is waited for, which the browser is on its way to. */
const LAST_PAGE_MS = 5000;

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
  await write(
    process.stdout,
    "This is a demo, on this machine alone: sample customers and a stand-in for SuperOffice.\n",
  );
  const { target, clientId, isJoined, close } = await startDemo({ joins: true });
  try {
    discretion.secrets.add(target.clientSecret);
    await write(
      process.stdout,
      isJoined
        ? "The demo that runs already logs on to who approves, at its next poll.\n"
        : "Run npm run demo beside it, and it logs on to who approves; alone, all is forgotten at the end.\n",
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
  request: CustomersRequest,
  discretion: Discretion,
): Promise<number> {
  const interrupt = createInterrupt();
  const database = openDatabase(settings.target.databaseUrl);
  try {
    return await waitForApprovals(settings, request, discretion, database, interrupt);
  } finally {
    await database.end({ timeout: 5 });
    await interrupt.mayEnd();
  }
}

async function waitForApprovals(
  { run, target, clientId, listening }: ApprovalSettings,
  { customers: [customer], options, minutes }: CustomersRequest,
  { secrets, redact }: Discretion,
  database: Database,
  interrupt: ReturnType<typeof createInterrupt>,
): Promise<number> {
  const isKeptOpen = options.has("keep-open");
  const replaces = options.has("replace");
  const { redirectUrl, addresses, port, hosts } = listening;
  const isOwn = isLoopback(new URL(redirectUrl));
  const say = (line: string) => write(process.stdout, redact.lines(`${line}\n`));
  const warn = (line: string) => write(process.stderr, redact.lines(`${line}\n`));

  // What fails without anybody's help fails before somebody is asked to do something.
  const found = await findCustomer(customer ?? "", database);
  if (found[0] !== undefined && !replaces) {
    throw new CustomerExistsError(`${found[0]} exists already`);
  }
  const send = createHttpClient(new AbortController().signal, run.requestTimeoutMs, run.proxies);
  const client = { ...target, clientId, redirectUrl };
  const loginHost = await readLoginHost(target.loginUrl, send);
  const keySet = createKeySet(target.loginUrl, send);
  const { logOn } = await createSuperOffice({
    ...target,
    privateKey: createSigner(target.privateKey),
    send,
  });
  const settle = createSettle(client, loginHost, { customer, replaces }, {
    send,
    keySet,
    logOn,
    database,
    secrets,
  });

  const pendings = createPendings<Outcome>(MOST_PENDING, PENDING_MS, () => performance.now());
  const inHand = new Set<Promise<Outcome>>();
  const first = Promise.withResolvers<boolean>();
  const shown = Promise.withResolvers<void>();
  let storedCount = 0;
  let refusalsSaid = 0;

  async function ask(browser?: string): Promise<{ address: string }> {
    const asked = await askForApproval(loginHost, client, customer);
    pendings.add({ ...asked, id: randomId(), browser });
    return asked;
  }
  async function settleAndSay(...given: Parameters<typeof settle>): Promise<Outcome> {
    const settling = settle(...given);
    inHand.add(settling);
    const outcome = await settling;
    const { lines, isWell } = linesOf(outcome, explain);
    if (outcome.stored !== undefined) storedCount++;
    for (const line of lines) await (isWell ? say(line) : warn(line));
    inHand.delete(settling);
    first.resolve(isWell);
    return outcome;
  }
  function tellRefused(error: StateRefusedError): void {
    const { problem, remedy, code } = explain(error);
    refusalsSaid++;
    if (refusalsSaid <= MOST_REFUSALS_SAID) {
      void warn(`${problem}, so nothing was done. ${remedy} [${code}]`);
    }
  }
  function showExplained(error: unknown) {
    const { problem, remedy, code } = explain(error);
    return { problem: redact(problem), remedy: redact(remedy), code };
  }

  const startKey = isKeptOpen ? randomId() : undefined;
  const site = createSite({ redirectUrl, hosts, startKey }, {
    pendings,
    ask,
    settle: settleAndSay,
    pageOf: (outcome) => pageOf(outcome, showExplained, isOwn),
    tellRefused,
    tellShown: shown.resolve,
  });
  const listener = await listen(addresses, port, site);
  try {
    const address = startKey === undefined
      ? (await ask()).address
      : ownAddress(redirectUrl, startKey).href;
    await say(
      isKeptOpen
        ? "Give this address to your customers' administrators; each approves for its own company, in one browser:\n"
        : "Open this address in a browser, as a general or user administrator of the customer, and approve:\n",
    );
    // Not redacted: it is what it is, or it is of no use.
    await write(process.stdout, `${address}\n\n`);
    const opens = isOwn && !options.has("no-open") && hasScreen(screen(), process.platform);
    if (opens) openBrowser(address);
    const time = isKeptOpen && minutes === undefined
      ? undefined
      : (minutes ?? DEFAULT_MINUTES) * 60_000;
    await say(
      `${opens ? "It opens in your browser. " : ""}The answer is waited for at ${redirectUrl}, ${
        time === undefined ? "until Ctrl-C" : `for ${time / 60_000} min; Ctrl-C ends that`
      }.`,
    );

    let isPasted = false;
    const lines = isKeptOpen ? undefined : readLines((line) => {
      if (line.trim() === "") return;
      const values = readPasted(line);
      for (const code of values?.getAll("code") ?? []) secrets.add(code);
      if (values === undefined) {
        return void warn("That holds no answer to a request for approval; paste the whole address.");
      }
      const taken = take(values, pendings);
      if (typeof taken === "string") return tellRefused(refusal(taken));
      isPasted = true;
      taken.outcome = settleAndSay(values, taken);
    }, interrupt.press);
    if (lines !== undefined && process.stdin.isTTY) {
      await warn(
        "Where the browser ends at an address that does not open, paste that address here (it is not shown), and press Enter.",
      );
    }
    try {
      const ending = await Promise.race([
        ...(isKeptOpen ? [] : [first.promise]),
        ...(time === undefined ? [] : [delay(time, "late" as const, { ref: false })]),
        new Promise<"stopped">((resolve) => {
          interrupt.signal.addEventListener("abort", () => resolve("stopped"));
        }),
      ]);
      // What was begun is brought to its end.
      const isInHand = inHand.size > 0;
      await Promise.all(inHand);
      if (isKeptOpen) {
        await say(`No more approvals are taken. Stored: ${storedCount}.`);
        return EXIT_OK;
      }
      if (ending === "late" && !isInHand) {
        throw new NobodyCameError(`Nobody approved within ${minutes ?? DEFAULT_MINUTES} min`);
      }
      if (ending === "stopped" && !isInHand) {
        await warn("Stopped: nothing was stored.");
        return EXIT_FAILED;
      }
      const isWell = await first.promise;
      if (!isPasted) await Promise.race([shown.promise, delay(LAST_PAGE_MS)]);
      return isWell ? EXIT_OK : EXIT_FAILED;
    } finally {
      lines?.close();
    }
  } finally {
    await listener.close();
  }
}

/** On Deno each may be asked for, and not all at once. */
function screen(): Variables {
  return Object.fromEntries(SCREEN_VARIABLES.map((name) => [name, process.env[name]]));
}
