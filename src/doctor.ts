// The doctor: checks, one after the other, all that a log-on needs, and says what is wrong and what to do.
import { createPublicKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import { openDatabase } from "./database.ts";
import { diagnose, type Examination } from "./doctor/diagnose.ts";
import type { CheckedKey } from "./doctor/diagnoseSettings.ts";
import { problemOf, UsageError } from "./errors.ts";
import { formatFinding } from "./doctor/findings.ts";
import { createHttpClient } from "./httpClient.ts";
import { createRedact, createSecrets } from "./redact.ts";
import { namesNoTarget, readVariables, secretsOf, type Variables } from "./settings.ts";
import { createSigner } from "./signToken.ts";

const EXIT_ALL_WELL = 0;
const EXIT_FAILED = 1;
const EXIT_WRONG_USAGE = 2;

const HELP = `The doctor: checks what a log-on needs, one thing after the other, for one customer.

Usage: src/doctor.ts [options] [context identifier]

  Cust12345   the customer to check, in upper or lower case; without it the first active one
  --demo      check the demo: sample customers and a stand-in for SuperOffice, both on this machine
  --help      show this

Checked are: runtime, settings, key, clock, database, login host, customer, state, signature, exchange, JWT, call.
✓ it is well; ✗ it is not: what was found, likely causes, the next step; – it needs something that failed.
The first ✗ is the one to mend first.

The settings are the console's own (src/main.ts --help lists them); with none at all the demo is checked.
Together with --demo, SUPEROFFICE_PRIVATE_KEY, SUPEROFFICE_PRIVATE_KEY_FILE and SUPEROFFICE_CLIENT_SECRET replace
the demo's own, so that you can break them and see what the doctor says.

The doctor writes nothing to the database. It makes exactly one exchange, which leaves a record in the customer's
SuperOffice, as each exchange does; none when an earlier check that the exchange needs has failed.

Exit codes: 0 all is well; 1 something is not; 2 wrong usage.
`;

const secrets = createSecrets();
const redact = createRedact(secrets);

/** Runs what the command line asks for, and gives the exit code. */
async function main(): Promise<number> {
  const { help, demo, customer } = readCommandLine(process.argv.slice(2));
  if (help) {
    await print(HELP);
    return EXIT_ALL_WELL;
  }
  const variables = await readVariables();
  const isProduction = variables["NODE_ENV"] === "production";
  if (demo && isProduction) throw new UsageError("There is no demo with NODE_ENV=production");
  if (demo || (namesNoTarget(variables) && !isProduction)) {
    return await examineDemo(variables, customer);
  }
  return await examine(variables, customer, undefined);
}

function readCommandLine(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        demo: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (positionals.length > 1) throw new Error("Give one context identifier at most");
    return { ...values, customer: positionals[0] };
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause });
  }
}

async function examineDemo(variables: Variables, customer: string | undefined): Promise<number> {
  await print("This is the demo: sample customers and a stand-in for SuperOffice.\n");
  // Loaded for the demo alone: a vendor ships src/ without it.
  const { startDemo } = await import("../fixtures/demo.ts").catch((cause) => {
    throw new UsageError(`The demo is not part of this installation: ${cause.message}`, { cause });
  });
  const { target, publicKey, close } = await startDemo();
  try {
    return await examine(
      {
        SUPEROFFICE_CLIENT_SECRET: target.clientSecret,
        ...variables,
        DATABASE_URL: target.databaseUrl,
        SUPEROFFICE_LOGIN_URL: target.loginUrl,
        SUPEROFFICE_ENVIRONMENT: undefined,
      },
      customer,
      { sign: createSigner(target.privateKey), publicKey: createPublicKey(publicKey) },
    );
  } finally {
    await close();
  }
}

async function examine(
  variables: Variables,
  customer: string | undefined,
  demoKey: CheckedKey | undefined,
): Promise<number> {
  const { SUPEROFFICE_CLIENT_SECRET: clientSecret = "", DATABASE_URL: databaseUrl = "" } =
    variables;
  // Hidden even where they are not what they should be.
  for (const secret of secretsOf({ clientSecret, databaseUrl })) secrets.add(secret);
  const examination: Examination = {
    variables,
    customer,
    demoKey,
    versions: process.versions,
    readText: (path) => readFile(path, "utf8"),
    openDatabase,
    send: createHttpClient(),
    now: () => new Date(),
    monotonicMs: () => performance.now(),
    secrets,
  };
  let isWell = true;
  for await (const finding of diagnose(examination)) {
    isWell &&= finding.verdict === "passed";
    await print(formatFinding(finding));
  }
  await print(
    isWell
      ? `All is well${
        demoKey === undefined ? "" : " with the demo; your own settings were not looked at"
      }.\n`
      : "The first ✗ is the one to mend first.\n",
  );
  return isWell ? EXIT_ALL_WELL : EXIT_FAILED;
}

/** Writes to standard output, without secrets; resolves when it is out. */
function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(redact(text), () => resolve()));
}

function printError(error: unknown): number {
  const { problem, remedy } = problemOf(error);
  process.stderr.write(redact(`${problem}\n${remedy}\n`));
  return error instanceof UsageError ? EXIT_WRONG_USAGE : EXIT_FAILED;
}

// Whoever read the output is gone, as with `| head`.
process.stdout.on("error", () => process.exit(EXIT_FAILED));

process.exit(await main().catch(printError));
