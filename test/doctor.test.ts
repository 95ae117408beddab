import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkRuntime } from "../src/doctor/checkSettings.ts";
import { examine } from "../src/doctor/examine.ts";
import { createSecrets } from "../src/program/knownSecrets.ts";
import { createRedact } from "../src/program/redact.ts";
import { secretsOf } from "../src/program/variables.ts";
import type { StandIn } from "../fixtures/standIn.ts";
import { emptyFolder, runConsole } from "./support/childConsole.ts";
import { hasPgBoss } from "./support/pgBossHere.ts";
import { CLIENT_SECRET, fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { type TestDatabase, testDatabases } from "./support/testDatabase.ts";

const DOCTOR = fileURLToPath(new URL("../src/doctor.ts", import.meta.url));
const KEYS = new URL("../fixtures/keys/", import.meta.url);
const CHECKS = [
  "runtime",
  "settings",
  "key",
  "database",
  "login host",
  "clock",
  "customer",
  "state",
  "signature",
  "exchange",
  "JWT",
  "call",
];

const tenants = makeTenants(4);
let database: TestDatabase;
let standIn: StandIn;
let settings: Record<string, string>;

before(async () => {
  database = await testDatabases[0]!.start();
  standIn = await startTestStandIn(tenants);
  settings = settingsFor(standIn, database.databaseUrl);
  await fillTable(database.sql, tenants);
  await database.sql`
    update customers set is_active = false where context_identifier = 'Cust10004'`;
});

after(async () => {
  await standIn.close();
  await database.close();
});

/** Runs the doctor's command; every output must be free of secrets and of stack traces. */
async function runDoctor(args: string[], variables: Record<string, string>, cwd?: string) {
  return await look(await runConsole(args, variables, cwd, DOCTOR));
}

/** The same for one customer without the command around it, which takes less time. */
async function examineHere(customer: string | undefined, variables: Record<string, string>) {
  const given = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ""));
  const secrets = createSecrets(secretsOf(given));
  const redact = createRedact(secrets);
  let output = "";
  const isWell = await examine(given, [], customer, undefined, secrets, (text) => {
    output += redact.lines(text);
    return Promise.resolve();
  });
  return await look({ exitCode: isWell ? 0 : 1, output });
}

async function look({ exitCode, output }: { exitCode: number | null; output: string }) {
  const privateKey = await readFile(new URL("app-key.pkcs8.pem", KEYS), "utf8");
  const hidden = [
    CLIENT_SECRET,
    "hunter2",
    ...tenants.map(({ systemUserToken }) => systemUserToken),
    ...privateKey.split("\n").filter((line) => line.length > 20 && !line.startsWith("-----")),
  ];
  for (const secret of hidden) assert.ok(!output.includes(secret), `${secret} in:\n${output}`);
  assert.doesNotMatch(output, /7T:|eyJ|PRIVATE KEY-----|^\s+at .*:\d+|DeprecationWarning/m, output);
  assertNeedsAreAbove(output);
  const marks = Object.fromEntries(
    [...output.matchAll(/^([✓✗–]) ([\w ]+):/gm)].map(([, mark, check]) => [check, mark]),
  );
  const [firstFailure = ""] = output.match(/^✗.*(\n {4}.*)*/m) ?? [];
  return { exitCode, output, marks, firstFailure };
}

/** What a check lacks is what others above it did not bring. */
function assertNeedsAreAbove(output: string): void {
  const missing = new Set<string>();
  for (const [, mark, check, text] of output.matchAll(/^([✓✗–]) ([\w ]+): (.*)/gm)) {
    if (mark === "–") {
      const needs = text!.match(/^not checked, since it needs: (.+)$/)?.[1]?.split(", ") ?? [];
      assert.ok(needs.length > 0, output);
      for (const need of needs) assert.ok(missing.has(need), `${check} needs ${need}:\n${output}`);
    }
    if (mark !== "✓") missing.add(check!);
  }
}

/** The checks that bear a mark, in the order of their lines. */
function checksWith(mark: string, marks: Record<string, string | undefined>): string[] {
  return Object.keys(marks).filter((check) => marks[check] === mark);
}

async function rows(): Promise<readonly unknown[]> {
  return await database.sql`select xmin::text, to_jsonb(customers) from customers order by id`;
}

/** A server that refuses every log-in as Postgres does a wrong password. */
async function startRefusingServer() {
  const server = createServer((socket) => {
    socket.once("data", () => {
      const fields = Buffer.from(
        "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user\0\0",
      );
      const head = Buffer.alloc(5);
      head.write("E");
      head.writeInt32BE(fields.length + 4, 1);
      socket.end(Buffer.concat([head, fields]));
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

/** A server that takes connections, and says nothing. */
async function startSilentServer() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}

function makeKeyFile(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return String(privateKey.export({ type: "pkcs1", format: "pem" }));
}

async function writeKeyFile(text: string): Promise<string> {
  const path = join(emptyFolder(), "private.pem");
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

test("where all is well each check passes, in order, with one exchange and nothing written", async () => {
  const before = await rows();
  const { exchange: exchanges } = standIn.counts;
  const { exitCode, output, marks } = await runDoctor([], settings);
  assert.deepEqual(checksWith("✓", marks), CHECKS, output);
  const publicKey = await readFile(new URL("app-key.pub.pem", KEYS), "utf8");
  assert.match(output, /PKCS#8 PEM, 2048 bits/);
  assert.ok(output.includes(publicKey.trim().replaceAll(/^/gm, "    ")), output);
  assert.match(output, /active customers: 3\n/);
  assert.match(output, /usable keys in its key set: 1\n/);
  assert.match(
    output,
    /JWT: valid; issuer SuperOffice AS, audience spn:\d+, expires .*, tenant Cust10001/,
  );
  assert.match(output, /the system user is Associate 10001/);
  assert.equal(standIn.counts.exchange, exchanges + 1);
  assert.deepEqual(await rows(), before);
  assert.equal(exitCode, 0);
});

test("a login host and tenants on this machine are asked directly, whatever proxy there is", async () => {
  const nobody = { HTTPS_PROXY: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9" };
  const { exitCode, output } = await examineHere(undefined, { ...settings, ...nobody });
  assert.match(output, /^✓ settings: the login host is http:\/\/127\.0\.0\.1:\d+$/m);
  assert.equal(exitCode, 0, output);
});

test("the customer named is checked, without regard to case", async () => {
  const { exitCode, output } = await runDoctor(["CUST10002"], settings);
  assert.match(output, /the system user is Associate 10002/);
  assert.equal(exitCode, 0);
});

test("a table without last_work is in order, with a word on what a work script misses", async () => {
  await database.sql`alter table customers drop column last_work`;
  const { exitCode, output } = await examineHere(undefined, settings);
  await database.sql`alter table customers add column last_work timestamptz`;
  assert.match(
    output,
    /✓ database: .*\n {4}A work script's lastSync stays null: There is no column.* customers (-- )?init/,
  );
  assert.equal(exitCode, 0);
});

test("where tickets are stored or the work is shared, what that needs is checked, too", async () => {
  const { sql } = database;
  const { marks: unasked } = await examineHere(undefined, settings);
  assert.deepEqual([unasked["tickets"], unasked["share"]], [undefined, undefined]);
  for (const variables of [{ TICKET_STORE: "database" }, { SHARE: "on" }]) {
    const given = { ...settings, ...variables };
    const { output, marks } = await examineHere(undefined, given);
    assert.equal(marks["tickets"], "✓", output);
    assert.equal(marks["share"], "SHARE" in variables ? hasPgBoss ? "✓" : "✗" : undefined, output);
    if (!hasPgBoss && "SHARE" in variables) {
      assert.match(output, /✗ share: .*PG_BOSS_MISSING\]\n {4}Next step: Install it: npm install/);
    }
    await sql`alter table tickets drop column claimed_by, drop column refused_row`;
    const lacking = await examineHere(undefined, given);
    await sql`drop table tickets`;
    const missing = await examineHere(undefined, given);
    await sql.unsafe(await readFile(new URL("../fixtures/schema.sql", import.meta.url), "utf8"));
    assert.match(
      lacking.output,
      /✗ tickets: .*it lacks claimed_by, refused_row \[.*\n {4}Next step: .*customers (-- )?init/,
    );
    assert.match(missing.output, /✗ tickets: .* no table «tickets».*\n {4}Next step: Create it: /);
    assert.deepEqual([lacking.exitCode, missing.exitCode], [1, 1]);
  }
});

for (
  const { form, file } of [
    { form: "RSAKeyValue XML", file: "app-key.xml" },
    { form: "PKCS#1 PEM", file: "app-key.pkcs1.pem" },
  ]
) {
  test(`a key as ${form} is named so`, async () => {
    const path = fileURLToPath(new URL(file, KEYS));
    const variables = { ...settings, SUPEROFFICE_PRIVATE_KEY_FILE: path };
    const { exitCode, output } = await runDoctor([], variables);
    assert.ok(output.includes(`✓ key: ${form}, 2048 bits`), output);
    assert.equal(exitCode, 0);
  });
}

interface Cause {
  name: string;
  /** The check whose ✗ comes first, and what it and the lines below it say. */
  check: string;
  says: RegExp[];
  customer?: string;
  /** Breaks it, and gives the variables that differ and what mends it. */
  break: () => Promise<{ variables?: Record<string, string>; mend?: () => unknown }>;
  /** The checks that pass all the same. */
  passed: string[];
  /** Those that fail as well. */
  failed?: string[];
}

const BEFORE_TENANT = ["runtime", "settings", "key", "database", "login host", "clock", "customer"];
const without = (...names: string[]) => CHECKS.filter((check) => !names.includes(check));

const causes: Cause[] = [
  {
    name: "no DATABASE_URL",
    check: "settings",
    says: [/^ {4}DATABASE_URL: missing/m],
    customer: "cust10001",
    break: () => Promise.resolve({ variables: { DATABASE_URL: "" } }),
    passed: ["runtime", "key", "login host", "clock", "state"],
  },
  {
    name: "no database at that address",
    check: "database",
    says: [/127\.0\.0\.1:\d+ cannot be reached/, /Likely: Postgres does not run/, /DATABASE_URL/],
    customer: "Cust10001",
    async break() {
      const { port, close } = await startRefusingServer();
      await close();
      return { variables: { DATABASE_URL: `postgres://vendor:hunter2@127.0.0.1:${port}/crm` } };
    },
    passed: ["runtime", "settings", "key", "login host", "clock", "state"],
  },
  {
    name: "a DATABASE_URL that leads to a web server",
    check: "database",
    says: [/is no Postgres: it speaks HTTP/, /Likely: the port of something else/],
    break() {
      const { host } = new URL(standIn.loginUrl);
      return Promise.resolve({ variables: { DATABASE_URL: `postgres://vendor@${host}/crm` } });
    },
    passed: ["runtime", "settings", "key", "login host", "clock"],
  },
  {
    name: "paused customers alone",
    check: "customer",
    says: [/Cust10001 is paused, .*no active one/, / customers (-- )?resume Cust10001 /],
    async break() {
      await database.sql`update customers set is_active = false`;
      return {
        mend: () =>
          database.sql`update customers set is_active = context_identifier <> 'Cust10004'`
            .execute(),
      };
    },
    passed: without("customer"),
  },
  {
    name: "a wrong login host",
    check: "settings",
    says: [/SUPEROFFICE_LOGIN_URL: expected/],
    break: () => Promise.resolve({ variables: { SUPEROFFICE_LOGIN_URL: "login.example" } }),
    passed: ["runtime", "key", "database", "customer", "signature"],
  },
  {
    name: "a key file in UTF-16",
    check: "key",
    says: [/private\.pem cannot be read: it is written in UTF-16/, /Next step: Save it as UTF-8/],
    async break() {
      const path = await writeKeyFile(makeKeyFile());
      await writeFile(path, await readFile(path, "utf8"), "utf16le");
      return { variables: { SUPEROFFICE_PRIVATE_KEY_FILE: path } };
    },
    passed: [...BEFORE_TENANT.filter((check) => check !== "key"), "state"],
  },
  {
    name: "a wrong database password",
    check: "database",
    says: [/refused the user «vendor»/, /password in DATABASE_URL/],
    async break() {
      const { port, close } = await startRefusingServer();
      const DATABASE_URL = `postgres://vendor:hunter2@127.0.0.1:${port}/crm`;
      return { variables: { DATABASE_URL }, mend: close };
    },
    passed: ["runtime", "settings", "key", "login host", "clock"],
  },
  {
    name: "a missing table",
    check: "database",
    says: [/no table «customers»/, /schema\.sql/],
    async break() {
      await database.sql`alter table customers rename to elsewhere`;
      return { mend: () => database.sql`alter table elsewhere rename to customers`.execute() };
    },
    passed: ["runtime", "settings", "key", "login host", "clock"],
  },
  {
    name: "missing columns that the log-on does not need",
    check: "database",
    says: [
      /lacks last_sync, last_error/,
      /^ {4}alter table customers add column last_sync timestamptz/m,
    ],
    async break() {
      await database.sql`alter table customers rename last_sync to a`;
      await database.sql`alter table customers rename last_error to b`;
      return {
        async mend() {
          await database.sql`alter table customers rename a to last_sync`;
          await database.sql`alter table customers rename b to last_error`;
        },
      };
    },
    passed: without("database"),
  },
  {
    name: "a missing column that the log-on needs",
    check: "database",
    says: [/lacks is_active/],
    async break() {
      await database.sql`alter table customers rename is_active to a`;
      return { mend: () => database.sql`alter table customers rename a to is_active`.execute() };
    },
    passed: ["runtime", "settings", "key", "login host", "clock"],
  },
  {
    name: "a view that cannot be written",
    check: "database",
    says: [/may not write last_sync and last_error of the view/],
    async break() {
      await database.sql`alter table customers rename to elsewhere`;
      await database.sql`create view customers as select distinct * from elsewhere`;
      return {
        async mend() {
          await database.sql`drop view customers`;
          await database.sql`alter table elsewhere rename to customers`;
        },
      };
    },
    passed: without("database"),
  },
  {
    name: "another application's key",
    check: "exchange",
    says: [/InvalidSignature.*\[SIGNATURE_INVALID\]/, /public key than the one printed above/],
    async break() {
      const path = await writeKeyFile(makeKeyFile());
      return { variables: { SUPEROFFICE_PRIVATE_KEY_FILE: path } };
    },
    passed: [...BEFORE_TENANT, "state", "signature"],
  },
  {
    name: "a wrong client secret",
    check: "exchange",
    says: [/Denied.*\[ACCESS_DENIED\]/, /Likely: SUPEROFFICE_CLIENT_SECRET is another/],
    break: () => Promise.resolve({ variables: { SUPEROFFICE_CLIENT_SECRET: "hunter2-secret" } }),
    passed: [...BEFORE_TENANT, "state", "signature"],
  },
  {
    name: "a revoked token",
    check: "exchange",
    says: [/Revoked.*\[TOKEN_REVOKED\]/, /approve the application again/],
    break() {
      const tenant = standIn.tenants.get("cust10001")!;
      tenant.revoked = true;
      return Promise.resolve({ mend: () => tenant.revoked = false });
    },
    passed: [...BEFORE_TENANT, "state", "signature"],
  },
  ...[1, -1].map((hours): Cause => ({
    name: `a clock an hour ${hours > 0 ? "ahead" : "behind"}`,
    check: "clock",
    says: [
      new RegExp(`clock is 3\\d{3} s ${hours > 0 ? "ahead of" : "behind"} the clock of 127`),
      /timedatectl/,
    ],
    async break() {
      const now = () => Date.now() - hours * 3600_000;
      const other = await startTestStandIn(tenants, { now });
      return { variables: { SUPEROFFICE_LOGIN_URL: other.loginUrl }, mend: () => other.close() };
    },
    passed: without("clock"),
  })),
  {
    name: "a suspended tenant",
    check: "state",
    says: [/Suspended: SuperOffice has closed it for now \[TENANT_NOT_RUNNING\]/],
    break() {
      const tenant = standIn.tenants.get("cust10001")!;
      tenant.state = "Suspended";
      return Promise.resolve({ mend: () => tenant.state = "Running" });
    },
    passed: [...BEFORE_TENANT, "signature"],
  },
  {
    name: "a login host that cannot be reached",
    check: "login host",
    says: [/127\.0\.0\.1:\d+ could not be reached.*\[NETWORK_FAILED\]/, /proxy/],
    async break() {
      const { port, close } = await startRefusingServer();
      await close();
      return { variables: { SUPEROFFICE_LOGIN_URL: `http://127.0.0.1:${port}` } };
    },
    passed: ["runtime", "settings", "key", "database", "customer", "signature"],
  },
  {
    name: "a broken key file",
    check: "key",
    says: [/SUPEROFFICE_PRIVATE_KEY_FILE: .*damaged or only half there.*\[PRIVATE_KEY_WRONG\]/],
    async break() {
      const pem = makeKeyFile();
      const path = await writeKeyFile(pem.slice(0, pem.length / 2));
      return { variables: { SUPEROFFICE_PRIVATE_KEY_FILE: path } };
    },
    passed: [...BEFORE_TENANT.filter((check) => check !== "key"), "state"],
  },
  {
    name: "a key file that is not there",
    check: "key",
    says: [/nowhere\.pem cannot be read: there is no such file/, /Check the path/],
    break: () =>
      Promise.resolve({ variables: { SUPEROFFICE_PRIVATE_KEY_FILE: "/tmp/nowhere.pem" } }),
    passed: [...BEFORE_TENANT.filter((check) => check !== "key"), "state"],
  },
  {
    name: "several wrong settings",
    check: "settings",
    says: [/^ {4}POLL_SECONDS: /m, /^ {4}SUPEROFFICE_CLIENT_SECRET: expected/m, /PRIVATE_KEY and/],
    break: () =>
      Promise.resolve({
        variables: {
          POLL_SECONDS: "often",
          SUPEROFFICE_CLIENT_SECRET: "hunter2 with blanks",
          SUPEROFFICE_PRIVATE_KEY: "x",
        },
      }),
    passed: ["runtime", "database", "login host", "clock", "customer", "state"],
  },
  {
    name: "a customer that is not in the table",
    check: "customer",
    says: [/no row for Cust4711/],
    customer: "Cust4711",
    break: () => Promise.resolve({}),
    passed: BEFORE_TENANT.filter((check) => check !== "customer"),
    failed: ["state"],
  },
  {
    name: "an inactive customer",
    check: "customer",
    says: [/Cust10004 is paused/, /Next step: .* customers (-- )?resume Cust10004 /],
    customer: "cust10004",
    break: () => Promise.resolve({}),
    passed: without("customer"),
  },
  {
    name: "a JWT that SuperOffice did not sign",
    check: "JWT",
    says: [/no key of the login host explains its signature.*\[JWT_INVALID\]/],
    break: () =>
      Promise.resolve({
        mend: standIn.misbehave({ at: "exchange", how: { forge: "unknownKey" } }),
      }),
    passed: without("JWT", "call"),
  },
  {
    name: "a tenant that does not answer within REQUEST_TIMEOUT_SECONDS",
    check: "call",
    says: [/did not answer the call within 1 s.*\[REQUEST_TIMEOUT\]/],
    break: () =>
      Promise.resolve({
        variables: { REQUEST_TIMEOUT_SECONDS: "1" },
        mend: standIn.misbehave({ at: "call", how: "hang" }),
      }),
    passed: without("call"),
  },
  {
    name: "a row without a token",
    check: "customer",
    says: [/Cust10001 holds no system user token.*\[TOKEN_MISSING\]/],
    customer: "Cust10001",
    async break() {
      const [tenant] = tenants;
      await database
        .sql`update customers set system_user_token = '' where context_identifier = 'Cust10001'`;
      return {
        mend: () =>
          database.sql`update customers set system_user_token = ${tenant!.systemUserToken}
            where context_identifier = 'Cust10001'`.execute(),
      };
    },
    passed: [...BEFORE_TENANT.filter((check) => check !== "customer"), "state"],
  },
  {
    name: "a tenant that refuses the call and repeats the credentials",
    check: "call",
    says: [/status 400/],
    break: () => Promise.resolve({ mend: standIn.misbehave({ at: "call", how: "echo" }) }),
    passed: without("call"),
  },
];

for (const cause of causes) {
  test(`the first ✗ names the cause: ${cause.name}`, async () => {
    const { variables = {}, mend } = await cause.break();
    const { exchange: exchanges } = standIn.counts;
    try {
      const { exitCode, output, marks, firstFailure } = await examineHere(cause.customer, {
        ...settings,
        ...variables,
      });
      assert.ok(firstFailure.startsWith(`✗ ${cause.check}: `), output);
      for (const pattern of cause.says) assert.match(firstFailure, pattern, output);
      assert.match(firstFailure, /^ {4}Next step: /m, output);
      assert.deepEqual(checksWith("✓", marks), cause.passed, output);
      assert.deepEqual(checksWith("✗", marks), [cause.check, ...cause.failed ?? []], output);
      assert.deepEqual(Object.keys(marks), CHECKS);
      assert.equal(exitCode, 1);
      assert.ok(standIn.counts.exchange <= exchanges + 1);
    } finally {
      await mend?.();
    }
  });
}

test("where nobody answers, the doctor does not wait for one after the other", async () => {
  const { port, close } = await startSilentServer();
  const begun = performance.now();
  const { output, marks, firstFailure } = await examineHere("Cust10001", {
    ...settings,
    DATABASE_URL: `postgres://vendor:hunter2@127.0.0.1:${port}/crm`,
    SUPEROFFICE_LOGIN_URL: `http://127.0.0.1:${port}`,
  });
  close();
  assert.match(firstFailure, /^✗ database: .*takes connections, but says nothing/);
  assert.match(output, /✗ login host: .*did not answer .*REQUEST_TIMEOUT/);
  assert.deepEqual(checksWith("✗", marks), ["database", "login host"]);
  assert.ok(performance.now() - begun < 12_000, "it waited twice");
});

test("a slip in a name, and a .env that others may read, are told beside the settings", {
  skip: process.platform === "win32",
}, async () => {
  const folder = emptyFolder();
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(join(folder, ".env"), `\ufeff${lines.join("")}POL_SECONDS=5\n`);
  await chmod(join(folder, ".env"), 0o644);
  const { output, exitCode } = await runDoctor([], { SUPEROFFICE_PRIVATEKEY: "x" }, folder);
  const [, beside = ""] = output.match(/^✓ settings: .*\n((?: {4}.*\n)*)/m) ?? [];
  assert.match(beside, /POL_SECONDS .* is POLL_SECONDS meant\?/);
  assert.match(beside, /SUPEROFFICE_PRIVATEKEY .* is SUPEROFFICE_PRIVATE_KEY meant\?/);
  assert.match(beside, /\.env holds a secret, and every user .*chmod o= \.env/);
  assert.doesNotMatch(output, /DATABASE_URL meant/);
  assert.equal(exitCode, 0);
});

test("with nothing set the demo is checked, and all is well", async () => {
  const { exitCode, output, marks } = await runDoctor([], {});
  assert.match(output, /^This is the demo/);
  assert.match(output, /BEGIN PUBLIC KEY/);
  assert.deepEqual(checksWith("✓", marks), CHECKS, output);
  assert.equal(exitCode, 0);
});

test("in the demo a key of one's own replaces the demo's, and a wrong one is told at the exchange", async () => {
  const SUPEROFFICE_PRIVATE_KEY = makeKeyFile().replaceAll("\n", "\\n");
  const { exitCode, firstFailure } = await runDoctor(["--demo"], { SUPEROFFICE_PRIVATE_KEY });
  assert.match(firstFailure, /^✗ exchange: .*InvalidSignature/);
  assert.equal(exitCode, 1);
});

test("in the demo a broken key file is told at the key, a wrong client secret at the exchange", async () => {
  const path = await writeKeyFile("-----BEGIN PRIVATE KEY-----\nMIIE\n");
  const broken = await runDoctor(["--demo"], { SUPEROFFICE_PRIVATE_KEY_FILE: path });
  assert.match(broken.firstFailure, /^✗ key: .*half there/);
  assert.match(
    broken.output,
    /^This is the demo: .*with your SUPEROFFICE_PRIVATE_KEY_FILE in place/,
  );
  const wrong = await runDoctor(["--demo"], { SUPEROFFICE_CLIENT_SECRET: "hunter2-secret" });
  assert.match(wrong.firstFailure, /^✗ exchange: .*Denied/);
});

test("--help says that there is one exchange; wrong usage is exit code 2", async () => {
  const help = await runDoctor(["--help"], {});
  assert.match(help.output, /exactly one exchange/);
  assert.equal(help.exitCode, 0);
  for (
    const [args, variables] of [
      [["Cust1", "Cust2"], {}],
      [["--demo"], { NODE_ENV: "production" }],
    ] as const
  ) {
    assert.equal((await runDoctor([...args], variables)).exitCode, 2);
  }
  const { output, exitCode } = await runDoctor(["--bogus"], {});
  assert.equal(output, "There is no option --bogus\n--help shows what there is.\n");
  assert.equal(exitCode, 2);
});

test("with NODE_ENV=production and nothing set there is no demo: the settings are missing", async () => {
  const { exitCode, firstFailure, marks } = await runDoctor([], { NODE_ENV: "production" });
  assert.match(firstFailure, /^✗ settings: [^]*DATABASE_URL: missing[^]*PRIVATE_KEY_FILE: missing/);
  assert.equal(marks["key"], "–");
  assert.equal(exitCode, 1);
});

for (
  const { versions, verdict } of [
    { versions: { node: "20.12.0" }, verdict: "passed" },
    { versions: { node: "20.11.1" }, verdict: "failed" },
    { versions: { node: "18.20.0" }, verdict: "failed" },
    { versions: { node: "24.2.0", deno: "2.0.0" }, verdict: "passed" },
    { versions: { node: "20.11.1", deno: "1.46.0" }, verdict: "failed" },
  ]
) {
  test(`the runtime ${JSON.stringify(versions)} has ${verdict}`, () => {
    assert.equal(checkRuntime(versions).verdict, verdict);
  });
}
