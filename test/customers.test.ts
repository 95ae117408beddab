import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ListedCustomer } from "../src/database/customerTable.ts";
import { customersAsJson, formatCustomers } from "../src/program/formatCustomers.ts";
import { faultOfToken } from "../src/program/terminal.ts";
import { createSecrets } from "../src/program/knownSecrets.ts";
import { createRedact } from "../src/program/redact.ts";
import { cleanEnvironment } from "./support/cleanEnvironment.ts";
import { emptyFolder, runtime } from "./support/childConsole.ts";
import { testDatabases } from "./support/testDatabase.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TOKEN = "Test Appßé-pzqc70604i";
const NOWHERE = "postgres://vendor:hunter2-password@127.0.0.1:1/crm";
/** util-linux's, which gives a command a terminal. */
const SCRIPT = "/usr/bin/script";

interface Outcome {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** All that was printed, by all commands. */
let printed = "";

/** Runs the command as the Deno task and the npm script do, with this on its standard input. */
function customers(
  args: string[],
  variables: Record<string, string>,
  { input = "" as string | Uint8Array, root = ROOT, cwd = emptyFolder() } = {},
): Promise<Outcome> {
  const [command = "", ...before] = runtime(join(root, "src/customers.ts"))
    .filter((part) => part !== "--allow-write")
    .map((part) => part === join(ROOT, "deno.json") ? join(root, "deno.json") : part);
  return run(command, [...before, ...args], variables, cwd, (stdin) => stdin.end(input));
}

/** Runs the command on a terminal, where `answer` is typed once the question was asked. */
function customersOnTerminal(
  args: string[],
  variables: Record<string, string>,
  answer: string,
): Promise<Outcome> {
  const parts = [...runtime(join(ROOT, "src/customers.ts")), ...args].map((part) => `'${part}'`)
    .join(" ");
  return run(
    SCRIPT,
    ["-qefc", `stty cols 80; ${parts}`, "/dev/null"],
    variables,
    emptyFolder(),
    (stdin, output) => {
      // Typed at once, it would be echoed by the terminal, before the command could say not to.
      if (/Enter: |\[y\/N\] /.test(output)) stdin.write(answer);
    },
  );
}

function run(
  command: string,
  args: string[],
  variables: Record<string, string>,
  cwd: string,
  feed: (stdin: NodeJS.WritableStream, output: string) => void,
): Promise<Outcome> {
  const child = spawn(command, args, {
    cwd,
    env: cleanEnvironment(variables),
    stdio: ["pipe", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  // A command that refuses does not read its input.
  child.stdin.on("error", () => {});
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    feed(child.stdin, text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  feed(child.stdin, "");
  return new Promise((resolve) =>
    child.once("close", (exitCode) => {
      printed += stdout + stderr;
      resolve({ exitCode, stdout, stderr });
    })
  );
}

/** Says that the command ended with this exit code and said nothing else than this. */
function assertOutcome(outcome: Outcome, exitCode: number, said: RegExp): void {
  const { stdout, stderr } = outcome;
  assert.match(exitCode === 0 ? stdout : stderr, said);
  assert.equal(exitCode === 0 ? stderr : stdout, "");
  assert.doesNotMatch(stderr, /\n\s+at |file:\/\//);
  assert.equal(outcome.exitCode, exitCode, stdout + stderr);
}

test("--help shows every command, without any settings", async () => {
  const outcome = await customers(["--help"], {});
  assertOutcome(outcome, 0, /Usage: npm run customers -- <command> .*deno task customers/);
  for (const name of ["list", "init", "add", "approve", "pause", "resume", "restart", "remove"]) {
    assert.match(outcome.stdout, new RegExp(`^  ${name}\\b`, "m"));
  }
  for (const line of outcome.stdout.split("\n")) assert.ok(line.length <= 104, line);
});

test("wrong usage is refused with a sentence, and nothing of it is repeated", async () => {
  const cases: [string, string[], RegExp][] = [
    [
      "no command",
      [],
      /Say what to do: list, init, add, approve, pause, resume, restart, remove, share-sql\n--help/,
    ],
    ["an unknown command", [TOKEN], /The commands are list, init/],
    ["a name that every object has", ["toString"], /The commands are list, init/],
    ["an unknown option", ["list", `--${TOKEN}`], /The options are --token-stdin/],
    ["a value for --token-stdin", ["add", "Cust1", `--token-stdin=${TOKEN}`], /without a value/],
    ["a token as an option", ["add", "Cust1", "--token", TOKEN], /The options are --token-stdin/],
    ["a token after the customer", ["add", "Cust1", TOKEN, "--token-stdin"], /shell's history/],
    ["a token in place of the customer", ["add", TOKEN, "--token-stdin"], /as in Cust12345/],
    ["no customer", ["pause"], /pause needs a context identifier/],
    ["another form of customer", ["resume", "Cust12a"], /resume takes context identifiers alone/],
    [
      "a token after a customer",
      ["pause", "Cust1", TOKEN],
      /Cust12345\. A token .*shell's history/,
    ],
    ["a token to list", ["list", TOKEN], /list takes context identifiers alone: .*shell's history/],
    ["two customers to add", ["add", "Cust1", "Cust2", "--token-stdin"], /add takes one context/],
    ["two customers to approve", ["approve", "Cust1", "Cust2"], /approve takes one context/],
    ["no time to approve", ["approve", "--minutes", "0"], /--minutes takes a whole number, 1 to/],
    ["a token to approve", ["approve", "--token-stdin"], /approve does not take --token-stdin/],
    ["a customer to init", ["init", "Cust1"], /init takes no argument/],
    ["add without --token-stdin", ["add", "Cust1"], /add needs --token-stdin/],
    ["an option of another command", ["list", "--yes"], /list does not take --yes/],
  ];
  await Promise.all(cases.map(async ([what, args, said]) => {
    const outcome = await customers(args, { DATABASE_URL: NOWHERE });
    assertOutcome(outcome, 2, said);
    assert.doesNotMatch(outcome.stderr, /pzqc/, what);
  }));
});

test("a missing or wrong DATABASE_URL is named, and not repeated", async () => {
  assertOutcome(await customers(["list"], {}), 2, /DATABASE_URL: missing; expected/);
  const wrong = { DATABASE_URL: "mysql://vendor:hunter2-password@host/crm" };
  assertOutcome(await customers(["list"], wrong), 2, /DATABASE_URL: expected an address/);
});

test("a database that cannot be reached is explained", async () => {
  for (const name of ["list", "init"]) {
    const outcome = await customers([name], { DATABASE_URL: NOWHERE });
    assertOutcome(outcome, 1, /127\.0\.0\.1:1 cannot be reached.*\n.*DATABASE_URL/);
  }
});

test("without fixtures/, init says what is missing", async () => {
  const root = emptyFolder();
  for (const name of ["src", "package.json", "deno.json", "deno.lock"]) {
    await cp(join(ROOT, name), join(root, name), { recursive: true });
  }
  await symlink(join(ROOT, "node_modules"), join(root, "node_modules"));
  const outcome = await customers(["init"], { DATABASE_URL: NOWHERE }, { root });
  assertOutcome(outcome, 1, /schema .*fixtures\/schema\.sql cannot be read: there is no such file/);
});

test("a token is refused for what cannot be one, without being repeated", () => {
  for (
    const token of [TOKEN, "a", "App.With-Dots and blanks-0123456789", "Приложение-0123456789"]
  ) {
    assert.equal(faultOfToken(token), undefined);
  }
  for (
    const token of ["", " ", "pzqc\n", "pz\nqc", "pz\rqc", "pz\tqc", "pz\0qc", "pz\u2028qc"]
      .concat(
        "pz\x1b[31mqc",
        "pz\ufffdqc",
        " pzqc",
        "pzqc ",
        '"pzqc"',
        "'pzqc'",
        "pzqc".repeat(251),
      )
  ) {
    assert.match(faultOfToken(token) ?? "", /^(?:(?!p?z|qc).)+\.$/, JSON.stringify(token));
  }
});

async function* pagesOf(...pages: Partial<ListedCustomer>[][]) {
  const row = { id: "1", contextIdentifier: "Cust1", isActive: true };
  for (const page of pages) {
    yield page.map((given) => ({ ...row, lastSync: null, lastError: null, ...given }));
  }
}

async function linesOf(
  pages: AsyncIterable<ListedCustomer[]>,
  columns?: number,
  secrets: string[] = [],
): Promise<string[]> {
  let text = "";
  for await (const part of formatCustomers(pages, columns, createRedact(createSecrets(secrets)))) {
    text += part;
  }
  return text.split("\n").slice(0, -1);
}

test("the columns are as wide as the first page needs", async () => {
  const pages = pagesOf(
    [{ contextIdentifier: "Cust123456789", lastSync: new Date("2026-11-24T08:03:19Z") }],
    [{ isActive: false, lastError: "Revoked" }],
  );
  assert.deepEqual(await linesOf(pages), [
    "customer       state   last sync          last error",
    "Cust123456789  active  2026-11-24T08:03Z",
    "Cust1          paused  never              Revoked",
  ]);
});

test("the last work has a column where the table keeps it", async () => {
  const pages = pagesOf(
    [{ lastWork: new Date("2026-11-24T08:03:19Z"), lastError: "x" }, { lastWork: null }],
  );
  assert.deepEqual(await linesOf(pages), [
    "customer  state   last sync  last work          last error",
    "Cust1     active  never      2026-11-24T08:03Z  x",
    "Cust1     active  never      never",
  ]);
});

test("the calls of today and of 30 days have a column where they are kept", async () => {
  const pages = pagesOf([{ callsToday: 5760, callsIn30Days: 172800, lastError: "x" }]);
  assert.deepEqual(await linesOf(pages), [
    "customer  state   last sync  calls          last error",
    "Cust1     active  never      5760 / 172800  x",
  ]);
});

test("with no customer there is a header alone", async () => {
  assert.deepEqual(await linesOf(pagesOf([])), ["customer  state  last sync  last error"]);
});

test("the last error is cut to 60 letters in a pipe, and to the width of a terminal", async () => {
  const pages = () => pagesOf([{ lastError: "ß😀".repeat(50) }]);
  const [, inPipe = ""] = await linesOf(pages());
  assert.equal([...inPipe.slice(inPipe.indexOf("ß"))].length, 60);
  assert.match(inPipe, /ß…$/);
  const [, wide = ""] = await linesOf(pages(), 50);
  assert.equal([...wide].length, 50);
  const [, narrow = ""] = await linesOf(pages(), 5);
  assert.equal([...narrow.slice(narrow.indexOf("ß"))].length, 20);
});

test("the last error stands whole where that is asked for", async () => {
  const lastError = "ß😀 ".repeat(100).trim();
  const [, line = ""] = await linesOf(pagesOf([{ lastError }]), Infinity);
  assert.ok(line.endsWith(`  ${lastError}`));
});

test("as JSON a customer is a line, with nothing cut and no secret", async () => {
  const lastSync = new Date("2026-11-24T08:03:19.5Z");
  const pages = pagesOf(
    [{ contextIdentifier: "Cust1\u202e", lastSync, lastError: `${"x".repeat(200)} ${TOKEN}\n"` }],
    [{ contextIdentifier: "Cust2", isActive: false }],
  );
  let text = "";
  for await (const part of customersAsJson(pages, createRedact(createSecrets([TOKEN])))) {
    text += part;
  }
  assert.doesNotMatch(text, /[^\P{C}\n]/u);
  assert.deepEqual(text.trimEnd().split("\n").map((line) => JSON.parse(line)), [
    {
      context_identifier: "Cust1\\u202e",
      is_active: true,
      last_sync: "2026-11-24T08:03:19.500Z",
      last_error: `${"x".repeat(200)} [secret]\\n"`,
    },
    { context_identifier: "Cust2", is_active: false, last_sync: null, last_error: null },
  ]);
});

test("control characters are escaped, secrets hidden before the error is cut", async () => {
  const ticket = `7T:${"bm90IGEgcmVhbCB0aWNrZXQ".repeat(5)}`;
  const [, controls = "", hidden = "", odd = ""] = await linesOf(
    pagesOf([
      { lastError: "a\r\n\tb\x1b[31m\x9b\u202e\0" },
      { lastError: `${"x".repeat(50)} ${ticket} and ${TOKEN}` },
      { contextIdentifier: "\x1b[2J", lastSync: new Date(NaN) },
    ]),
    undefined,
    [TOKEN],
  );
  assert.match(controls, /a\\r\\n\\tb\\u001b\[31m\\u009b\\u202e\\u0000$/);
  assert.match(hidden, /x \[secret\]…?/);
  assert.match(odd, /^\\u001b\[2J +active +\?$/);
});

// One database will do, the server where there is one: what differs between them is the console's test's.
for (const { name, start } of testDatabases.slice(-1)) {
  test(`customers on ${name}`, async (t) => {
    const database = await start();
    const { sql, databaseUrl } = database;
    const settings = { DATABASE_URL: databaseUrl };
    const rows = () =>
      sql`select context_identifier as customer, system_user_token as token, is_active as active,
        last_error as error from customers order by id`.then((rows) => [...rows]);
    const fill = async (customer = "Cust12345") => {
      await sql`delete from customers`;
      await sql`insert into customers
        (context_identifier, system_user_token, is_active, last_error, last_sync, last_work)
        values (${customer}, ${TOKEN}, false, 'Revoked: withdrawn', '2026-11-24T08:03:19.5Z',
          '2026-11-23T08:03:19.5Z')`;
    };
    const old = { customer: "Cust12345", token: TOKEN, active: false, error: "Revoked: withdrawn" };

    await t.test("init creates the table, and may be run again", async () => {
      await sql`drop table customers, tickets, calls`;
      assertOutcome(await customers(["list"], settings), 1, /no table «customers»/);
      assertOutcome(
        await customers(["init"], settings),
        0,
        new RegExp(
          "^Made the table customers\\.\nMade the table tickets, for TICKET_STORE=database and SHARE=on .*\n" +
            "Made the table calls, .*\nWhere the console has a user of its own, .*: " +
            "grant select, update on customers to console; grant .* on tickets, calls to console;\n$",
        ),
      );
      await fill();
      assertOutcome(
        await customers(["init"], settings),
        0,
        /^The table customers was .*\nThe table tickets was .*\nThe table calls was .*\nWhere /,
      );
      assert.deepEqual(await rows(), [old]);
    });

    await t.test("init adds last_work to a table that lacks it, and leaves a view alone", async () => {
      await sql`alter table customers drop column last_work`;
      const restart = ["restart", "Cust12345"];
      assertOutcome(
        await customers(restart, settings),
        1,
        /no column last_work .*\n.* customers (-- )?init/,
      );
      const added = await customers(["init"], settings);
      assertOutcome(
        added,
        0,
        /^The table customers was .*\nAdded the column last_work to it, .*lastSync.*\nThe table tickets/,
      );
      assert.equal((await sql`select last_work from customers`)[0]?.["last_work"], null);

      await sql`alter table customers rename to subscriptions`;
      await sql`create view customers as select id, context_identifier, system_user_token, is_active,
        last_sync, last_error from subscriptions`;
      const left = await customers(["init"], settings);
      const listed = await customers(["list"], settings);
      await sql`drop view customers`;
      await sql`alter table subscriptions rename to customers`;
      assertOutcome(left, 0, /\nA work script's lastSync stays null: .*in the view.*Add it.*\nThe/);
      assertOutcome(
        listed,
        0,
        /^customer +state +last sync +calls +last error\n/,
      );
    });

    await t.test("init makes the table of stored tickets beside an older table of customers", async () => {
      await sql`drop table tickets`;
      const made = await customers(["init"], settings);
      assertOutcome(
        made,
        0,
        /^The table customers was .*\nMade the table tickets, .*TICKET_STORE=database.*SHARE=on/,
      );
      assert.equal((await sql`select from tickets`).length, 0);
      await sql`alter table tickets drop column claimed_until, drop column refused_ms`;
      assertOutcome(
        await customers(["init"], settings),
        0,
        /\nAdded to the table tickets, .*SHARE=on.*: claimed_until, refused_ms\.\n/,
      );
      await sql`alter table tickets rename column sealed to seat`;
      const fault = await customers(["init"], settings);
      await sql`alter table tickets rename column seat to sealed`;
      assertOutcome(
        fault,
        0,
        /\nThe table tickets is of no use yet to TICKET_STORE=database .*not as expected.*\nThe table c/,
      );
    });

    await t.test("init says what another table of that name lacks", async () => {
      await sql`alter table customers rename column last_error to trouble`;
      const outcome = await customers(["init"], settings);
      await sql`alter table customers rename column trouble to last_error`;
      assertOutcome(outcome, 1, /not as expected: .*last_error.*\n.*schema\.sql/);
    });

    await t.test("list shows all but the token", async () => {
      await fill();
      await sql`insert into customers (context_identifier, system_user_token)
        values ('Cust7', ${TOKEN})`;
      await sql`insert into calls
        select id, (now() at time zone 'utc')::date - ago, calls
        from customers, (values (0, 2), (29, 30), (30, 500)) as made (ago, calls)
        where context_identifier = 'Cust7'`;
      assert.deepEqual(await customers(["list"], settings), {
        exitCode: 0,
        stdout: [
          "customer   state   last sync          last work          calls   last error",
          "Cust12345  paused  2026-11-24T08:03Z  2026-11-23T08:03Z  0 / 0   Revoked: withdrawn",
          "Cust7      active  never              never              2 / 32",
          "",
        ].join("\n"),
        stderr: "",
      });
    });

    await t.test("list does without the calls where they are not kept, and init has them kept", async () => {
      await fill();
      await sql`drop table calls`;
      const header = /^customer +state +last sync +last work +last error\n/;
      assertOutcome(await customers(["list"], settings), 0, header);
      assertOutcome(await customers(["init"], settings), 0, /\nMade the table calls, /);
      assertOutcome(await customers(["list"], settings), 0, / calls +last error/);
    });

    await t.test("list shows those that are named, whole, and says who is not there", async () => {
      await fill("CUST12345");
      const error = "x".repeat(200);
      await sql`update customers set last_error = ${error}`;
      await sql`insert into customers (context_identifier, system_user_token)
        values ('Cust7', ${TOKEN}), ('Cust8', ${TOKEN})`;
      const table = await customers(["list", "cust8", "cust12345"], settings);
      assertOutcome(table, 0, new RegExp(`^CUST12345 .*Z  0 / 0  ${error}\nCust8  `, "m"));
      assert.doesNotMatch(table.stdout, /Cust7/);

      const json = await customers(["list", "--json", "Cust7", "Cust9"], settings);
      assert.deepEqual(json, {
        exitCode: 1,
        stdout:
          '{"context_identifier":"Cust7","is_active":true,"last_sync":null,"last_work":null,"calls_today":0,"calls_30_days":0,"last_error":null}\n',
        stderr: "There is no customer Cust9; list shows those there are.\n",
      });
    });

    await t.test("list streams more customers than fit in a page", async () => {
      await sql`delete from customers`;
      await sql`insert into customers (context_identifier, system_user_token)
        select 'Cust' || n, 'token' from generate_series(1, 2500) n`;
      const { stdout } = await customers(["list"], settings);
      const listed = stdout.trimEnd().split("\n").slice(1).map((line) => line.split(" ")[0]);
      assert.deepEqual(listed, Array.from({ length: 2500 }, (_, index) => `Cust${index + 1}`));
    });

    await t.test("add stores the token without the line break at its end", async () => {
      for (const end of ["", "\n", "\r\n"]) {
        await sql`delete from customers`;
        const input = TOKEN + end;
        const outcome = await customers(["add", "cust12345", "--token-stdin"], settings, { input });
        assertOutcome(outcome, 0, /^Added Cust12345; .*next poll\.\n$/);
        assert.deepEqual(await rows(), [
          { customer: "Cust12345", token: TOKEN, active: true, error: null },
        ]);
      }
    });

    await t.test("add refuses what cannot be a token", async () => {
      await sql`delete from customers`;
      const cases: [string | Uint8Array, RegExp][] = [
        ["", /held no token/],
        ["\n", /held no token/],
        [`${TOKEN}\n\n`, /line break/],
        [`${TOKEN}\n${TOKEN}`, /line break/],
        [`${TOKEN}\x1b[0m`, /control character/],
        [new Uint8Array([0x70, 0xff, 0x71]), /not UTF-8/],
        [`${TOKEN} \r\n`, /begins or ends with a blank/],
        [TOKEN.repeat(100_000), /too long/],
      ];
      await Promise.all(cases.map(async ([input, said]) => {
        const outcome = await customers(["add", "Cust1", "--token-stdin"], settings, { input });
        assertOutcome(outcome, 1, said);
      }));
      assert.deepEqual(await rows(), []);
    });

    await t.test("add of a customer that exists says how to replace its token", async () => {
      await fill("cust12345");
      const input = "Another-0123456789";
      const add = ["add", "CUST12345", "--token-stdin"];
      const refused = await customers(add, settings, { input });
      assertOutcome(refused, 1, /cust12345 exists already.*add cust12345 --token-stdin --replace/);
      assert.deepEqual(await rows(), [{ ...old, customer: "cust12345" }]);

      const replaced = await customers([...add, "--replace"], settings, { input });
      assertOutcome(replaced, 0, /^Stored the new token of cust12345;/);
      assert.deepEqual(await rows(), [
        { customer: "cust12345", token: input, active: true, error: null },
      ]);
    });

    await t.test("add --replace adds a customer that does not exist", async () => {
      await sql`delete from customers`;
      const args = ["add", "Cust12345", "--token-stdin", "--replace"];
      assertOutcome(await customers(args, settings, { input: TOKEN }), 0, /^Added Cust12345;/);
      assert.equal((await rows()).length, 1);
    });

    await t.test("pause and resume set is_active, resume clears last_error", async () => {
      await fill();
      assertOutcome(await customers(["resume", "cust12345"], settings), 0, /^Resumed Cust12345;/);
      assert.deepEqual(await rows(), [{ ...old, active: true, error: null }]);
      assertOutcome(await customers(["pause", "cust12345"], settings), 0, /^Paused Cust12345;/);
      assert.deepEqual(await rows(), [{ ...old, active: false, error: null }]);
    });

    await t.test("several customers are taken one after the other, whoever is not there", async () => {
      await fill();
      await sql`insert into customers (context_identifier, system_user_token)
        values ('Cust7', ${TOKEN})`;
      const names = ["cust12345", "Cust9", "Cust7", "Cust7"];
      assert.deepEqual(await customers(["remove", "--yes", ...names], settings), {
        exitCode: 1,
        stdout: "Removed Cust12345 and its token.\nRemoved Cust7 and its token.\n",
        stderr: "There is no customer Cust9; list shows those there are.\n",
      });
      assert.deepEqual(await rows(), []);
    });

    await t.test("restart clears last_work of each, and nothing else", async () => {
      await fill();
      await sql`insert into customers (context_identifier, system_user_token, last_work)
        values ('cust7', ${TOKEN}, now()), ('Cust8', ${TOKEN}, now())`;
      const outcome = await customers(["restart", "cust12345", "Cust7"], settings);
      assertOutcome(outcome, 0, /^Restarted Cust12345: .*afresh.*\nRestarted cust7: .*\n$/);
      const kept = await sql`select context_identifier as name from customers
        where last_work is not null or last_sync is not null and last_error is null`;
      assert.deepEqual(kept.map(({ name }) => name), ["Cust8"]);
      const { exitCode, stdout, stderr } = await customers(["restart", "Cust9", "cust8"], settings);
      assert.match(stdout, /^Restarted Cust8:/);
      assert.match(stderr, /^There is no customer Cust9;/);
      assert.equal(exitCode, 1);
    });

    await t.test("remove without a terminal wants --yes", async () => {
      await fill();
      assertOutcome(await customers(["remove", "Cust12345"], settings), 1, /add --yes/);
      assert.equal((await rows()).length, 1);
      const outcome = await customers(["remove", "cust12345", "--yes"], settings);
      assertOutcome(outcome, 0, /^Removed Cust12345 and its token\.\n$/);
      assert.deepEqual(await rows(), []);
    });

    await t.test("a customer that does not exist is named, with exit code 1", async () => {
      await fill();
      for (const args of [["pause"], ["resume"], ["remove", "--yes"]]) {
        const outcome = await customers([...args, "cust1234"], settings);
        assertOutcome(outcome, 1, /There is no customer Cust1234; list shows/);
      }
      assert.deepEqual(await rows(), [old]);
    });

    await t.test("DATABASE_URL is read from .env, which others had better not read", async () => {
      const cwd = emptyFolder();
      await writeFile(join(cwd, ".env"), `DATABASE_URL="${databaseUrl}"\n`, { mode: 0o644 });
      const { exitCode, stdout, stderr } = await customers(["list"], {}, { cwd });
      assert.match(stdout, /^customer /);
      if (process.platform !== "win32") {
        assert.match(stderr, /^\.env holds a secret.*chmod o= \.env$/m);
      }
      assert.equal(exitCode, 0);
    });

    const skip = !existsSync(SCRIPT) && "needs the command script of util-linux";
    await t.test("on a terminal", { skip }, async (t) => {
      await t.test("add does not show the token", async () => {
        await sql`delete from customers`;
        const add = ["add", "Cust12345", "--token-stdin"];
        const { exitCode, stdout } = await customersOnTerminal(add, settings, `${TOKEN}\r`);
        assert.match(stdout, /Paste the system user token of Cust12345 .*Enter: \r\nAdded Cust12/);
        assert.equal(exitCode, 0);
        assert.equal((await rows())[0]?.["token"], TOKEN);
      });

      await t.test("Ctrl-C in place of the token stores nothing", async () => {
        await sql`delete from customers`;
        const add = ["add", "Cust12345", "--token-stdin"];
        const { exitCode, stdout } = await customersOnTerminal(add, settings, "pz\x03");
        assert.match(stdout, /Nothing was stored\.\r\n$/);
        assert.equal(exitCode, 1);
        assert.deepEqual(await rows(), []);
      });

      await t.test("remove asks", async () => {
        await fill("cust12345");
        const remove = ["remove", "Cust12345"];
        for (const answer of ["\r", "n\r", "\x04"]) {
          const { exitCode, stdout } = await customersOnTerminal(remove, settings, answer);
          assert.match(stdout, /Remove cust12345 and its token\? \[y\/N\] [^]*Nothing was removed/);
          assert.equal(exitCode, 1);
        }
        assert.equal((await rows()).length, 1);
        await sql`insert into customers (context_identifier, system_user_token)
          values ('Cust7', ${TOKEN})`;
        const both = [...remove, "Cust7"];
        const { exitCode, stdout } = await customersOnTerminal(both, settings, "y\r");
        assert.match(stdout, /Remove cust12345 and Cust7 and their tokens\? \[y\/N\]/);
        assert.match(stdout, /Removed cust12345 and its token\.\r\nRemoved Cust7 [^\n]*\r\n$/);
        assert.equal(exitCode, 0);
        assert.deepEqual(await rows(), []);
      });

      await t.test("list cuts the last error to its width", async () => {
        await fill();
        await sql`update customers set last_error = ${"x".repeat(200)}, last_work = null`;
        const { stdout } = await customersOnTerminal(["list"], settings, "");
        const [, line] = stdout.split("\r\n");
        assert.equal(line?.length, 80);
      });
    });

    await database.close();
  });
}

test("neither a token nor a password was in any output", () => {
  assert.ok(printed.length > 1000);
  assert.doesNotMatch(printed, /pzqc|Appß|Another-|hunter2/);
});
