import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkRuntime } from "../src/doctor/checkSettings.ts";
import { examine } from "../src/doctor/examine.ts";
import { createSecrets } from "../src/program/knownSecrets.ts";
import { createRedact } from "../src/program/redact.ts";
import { secretsOf } from "../src/program/variables.ts";
import type { StandIn } from "../fixtures/standIn.ts";
import { emptyFolder, runConsole } from "./support/childConsole.ts";
import { CLIENT_SECRET, fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { type TestDatabase, testDatabases } from "./support/testDatabase.ts";

const DOCTOR = fileURLToPath(new URL("../src/doctor.ts", import.meta.url));
const KEYS = new URL("../fixtures/keys/", import.meta.url);
const CHECKS = [
  "runtime",
  "settings",
  "key",
  "clock",
  "database",
  "login host",
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
  const isWell = await examine(given, customer, undefined, secrets, (text) => {
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
  const marks = Object.fromEntries(
    [...output.matchAll(/^([✓✗–]) ([\w ]+):/gm)].map(([, mark, check]) => [check, mark]),
  );
  const [firstFailure = ""] = output.match(/^✗.*(\n {4}.*)*/m) ?? [];
  return { exitCode, output, marks, firstFailure };
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
    /✓ database: .*\n {4}A work script's lastSync stays null: There is no column.* -- init/,
  );
  assert.equal(exitCode, 0);
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

const BEFORE_TENANT = ["runtime", "settings", "key", "clock", "database", "login host", "customer"];
const without = (...names: string[]) => CHECKS.filter((check) => !names.includes(check));

const causes: Cause[] = [
  {
    name: "no DATABASE_URL",
    check: "settings",
    says: [/^ {4}DATABASE_URL: missing/m],
    customer: "cust10001",
    break: () => Promise.resolve({ variables: { DATABASE_URL: "" } }),
    passed: ["runtime", "key", "clock", "login host", "state"],
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
    passed: ["runtime", "settings", "key", "clock", "login host", "state"],
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
    passed: ["runtime", "settings", "key", "clock", "login host"],
  },
  {
    name: "a missing table",
    check: "database",
    says: [/no table «customers»/, /schema\.sql/],
    async break() {
      await database.sql`alter table customers rename to elsewhere`;
      return { mend: () => database.sql`alter table elsewhere rename to customers`.execute() };
    },
    passed: ["runtime", "settings", "key", "clock", "login host"],
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
    passed: ["runtime", "settings", "key", "clock", "login host"],
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
    check: "clock",
    says: [/127\.0\.0\.1:\d+ could not be reached.*\[NETWORK_FAILED\]/, /proxy/],
    async break() {
      const { port, close } = await startRefusingServer();
      await close();
      return { variables: { SUPEROFFICE_LOGIN_URL: `http://127.0.0.1:${port}` } };
    },
    passed: ["runtime", "settings", "key", "database", "customer", "signature"],
    failed: ["login host"],
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
    passed: ["runtime", "clock", "database", "login host", "customer", "state"],
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
    says: [/Cust10004 is not active/, /is_active/],
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
  const wrong = await runDoctor(["--demo"], { SUPEROFFICE_CLIENT_SECRET: "hunter2-secret" });
  assert.match(wrong.firstFailure, /^✗ exchange: .*Denied/);
});

test("--help says that there is one exchange; wrong usage is exit code 2", async () => {
  const help = await runDoctor(["--help"], {});
  assert.match(help.output, /exactly one exchange/);
  assert.equal(help.exitCode, 0);
  for (
    const [args, variables] of [
      [["--nonsense"], {}],
      [["Cust1", "Cust2"], {}],
      [["--demo"], { NODE_ENV: "production" }],
    ] as const
  ) {
    assert.equal((await runDoctor([...args], variables)).exitCode, 2);
  }
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
