// The doctor: checks, one after the other, all that a log-on needs, and says what is wrong and what to do.
import { createPublicKey } from "node:crypto";
import process from "node:process";
import { examine } from "./doctor/examine.ts";
import { findDemo } from "./program/demo.ts";
import { UsageError } from "./program/errors.ts";
import { endWhenNobodyReads, EXIT_FAILED, EXIT_OK, exitCodeOf, write } from "./program/exit.ts";
import { createSecrets } from "./program/knownSecrets.ts";
import { createRedact } from "./program/redact.ts";
import { readOptions } from "./program/readOptions.ts";
import { environment, secretsOf, takeVariables, type Variables } from "./program/variables.ts";
import { createSigner } from "./superoffice/signToken.ts";

const HELP = `The doctor: checks what a log-on needs, one thing after the other, for one customer.

Usage: src/doctor.ts [options] [context identifier]

  Cust12345   the customer to check, in upper or lower case; without it the first active one
  --demo      check the demo: sample customers and a stand-in for SuperOffice, both on this machine
  --help      show this

Checked are: runtime, settings, key, database, login host, clock, customer, state, signature, exchange, JWT, call;
after the database, with TICKET_STORE=database or SHARE=on: tickets, and with SHARE=on: share.
✓ it is well; ✗ it is not: what was found, likely causes, the next step; – it needs something that failed.
The first ✗ is the one to mend first.

The settings are the console's own (src/main.ts --help lists them); with none at all the demo is checked.
Together with --demo, SUPEROFFICE_PRIVATE_KEY, SUPEROFFICE_PRIVATE_KEY_FILE and SUPEROFFICE_CLIENT_SECRET of the
environment (not of .env) replace the demo's own, so that you can break them and see what the doctor says.

It waits 7 seconds for the database and for each answer, or as long as REQUEST_TIMEOUT_SECONDS says where that is set.

The doctor writes nothing to the database. It makes exactly one exchange, which leaves a record in the customer's
SuperOffice, as each exchange does; none when an earlier check that the exchange needs has failed.

Exit codes: 0 all is well; 1 something is not; 2 wrong usage, or a .env that cannot be read.
`;

const secrets = createSecrets();
const redact = createRedact(secrets);

/** Runs what the command line asks for, and gives the exit code. */
async function main(): Promise<number> {
  const { help, demo, customer } = readCommandLine(process.argv.slice(2));
  if (help) {
    await print(HELP);
    return EXIT_OK;
  }
  const own = environment();
  const { variables, warnings } = await takeVariables();
  const startDemo = findDemo(demo, variables);
  // Hidden even where they are not what they should be.
  for (const secret of secretsOf(variables)) secrets.add(secret);
  if (startDemo === undefined) {
    const isWell = await examine(variables, warnings, customer, undefined, secrets, print);
    return isWell ? EXIT_OK : EXIT_FAILED;
  }
  await print(
    `This is the demo: sample customers and a stand-in for SuperOffice${ownIn(own)}.\n`,
  );
  const { target, publicKey, close } = await startDemo();
  try {
    const demoVariables = {
      SUPEROFFICE_CLIENT_SECRET: target.clientSecret,
      ...own,
      DATABASE_URL: target.databaseUrl,
      SUPEROFFICE_LOGIN_URL: target.loginUrl,
      SUPEROFFICE_ENVIRONMENT: undefined,
    };
    secrets.add(target.clientSecret);
    const sign = createSigner(target.privateKey);
    const demoKey = { sign, publicKey: createPublicKey(publicKey) };
    const isWell = await examine(demoVariables, warnings, customer, demoKey, secrets, print);
    return isWell ? EXIT_OK : EXIT_FAILED;
  } finally {
    await close();
  }
}

function readCommandLine(args: string[]) {
  const { values, positionals } = readOptions(args, {
    demo: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  });
  if (positionals.length > 1) throw new UsageError("Give one context identifier at most");
  return { ...values, customer: positionals[0] };
}

/** What replaces the demo's own, in words. */
function ownIn(variables: Variables): string {
  const names = [
    "SUPEROFFICE_CLIENT_SECRET",
    "SUPEROFFICE_PRIVATE_KEY",
    "SUPEROFFICE_PRIVATE_KEY_FILE",
  ]
    .filter((name) => variables[name] !== undefined);
  return names.length === 0 ? "" : `, with your ${names.join(" and ")} in place of the demo's own`;
}

async function print(text: string): Promise<void> {
  await write(process.stdout, redact.lines(text));
}

endWhenNobodyReads(EXIT_FAILED);
process.exit(await exitCodeOf(main, redact));
