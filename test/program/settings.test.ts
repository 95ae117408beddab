import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { SettingsError } from "../../src/program/errors.ts";
import { readRunSettings, readSettings } from "../../src/program/settings.ts";
import {
  mergeVariables,
  misspelt,
  namesNoTarget,
  readVariables,
  secretsOf,
  type Variables,
} from "../../src/program/variables.ts";

const KEY_FILE = fileURLToPath(new URL("../../fixtures/keys/app-key.pkcs8.pem", import.meta.url));
const KEY = await readFile(KEY_FILE, "utf8");
const PUBLIC_KEY = await readFile(
  new URL("../../fixtures/keys/app-key.pub.pem", import.meta.url),
  "utf8",
);
const COMPLETE: Variables = {
  DATABASE_URL: "postgres://user:database-password@db.example:5432/customers",
  SUPEROFFICE_CLIENT_SECRET: "the-client-secret",
  SUPEROFFICE_PRIVATE_KEY_FILE: KEY_FILE,
};

async function faultsOf(variables: Variables): Promise<string[]> {
  const error: unknown = await readSettings(variables).then(
    () => assert.fail("the settings were accepted"),
    (error) => error,
  );
  assert.ok(error instanceof SettingsError, String(error));
  assert.equal(error.code, "SETTINGS_WRONG");
  assert.equal(error.message, ["The settings are not right:", ...error.faults].join("\n  "));
  return error.faults;
}

describe("readSettings", () => {
  test("does with the three that are required, and the defaults", async () => {
    const { run, target } = await readSettings(COMPLETE);
    assert.deepEqual(run, {
      pollMs: 15_000,
      tenantMs: 15_000,
      concurrency: "auto",
      requestTimeoutMs: 30_000,
      shutdownMs: 10_000,
      work: undefined,
      workTimeoutMs: 600_000,
      callsPerSecond: 10,
      reuseTickets: true,
      storesTickets: false,
      share: false,
      colours: undefined,
      sendsTelemetry: false,
      usesDenoTelemetry: false,
      proxies: undefined,
      notificationsAt: undefined,
      healthAt: undefined,
      clientId: undefined,
      log: { level: "info", format: "text", file: undefined, keepDays: 92 },
    });
    const { privateKey, ...rest } = target;
    assert.deepEqual(rest, {
      databaseUrl: COMPLETE["DATABASE_URL"],
      loginUrl: "https://sod.superoffice.com",
      clientSecret: "the-client-secret",
    });
    assert.equal(privateKey.type, "private");
  });

  test("takes colours as they are asked for, and none where none are wanted", () => {
    const coloursOf = (variables: Record<string, string>) => readRunSettings(variables).colours;
    assert.deepEqual(
      [{}, { FORCE_COLOR: "1" }, { FORCE_COLOR: "0" }, { FORCE_COLOR: "1", NO_COLOR: "1" }]
        .map((variables) => coloursOf(variables as Record<string, string>)),
      [undefined, true, false, false],
    );
  });

  test("takes the key that the environment names before one of .env, in whichever way each does", () => {
    const file = "SUPEROFFICE_PRIVATE_KEY_FILE=key.pem\nPOLL_SECONDS=7\n";
    assert.deepEqual(mergeVariables(file, { SUPEROFFICE_PRIVATE_KEY: KEY }), {
      SUPEROFFICE_PRIVATE_KEY: KEY.trim(),
      POLL_SECONDS: "7",
    });
    assert.equal(
      mergeVariables(file, { SUPEROFFICE_PRIVATE_KEY: " " })["SUPEROFFICE_PRIVATE_KEY_FILE"],
      "key.pem",
    );
  });

  test("takes every variable", async () => {
    const { run, target } = await readSettings({
      ...COMPLETE,
      SUPEROFFICE_PRIVATE_KEY_FILE: undefined,
      SUPEROFFICE_PRIVATE_KEY: KEY.replaceAll("\n", "\\n"),
      DATABASE_URL: "postgresql://db.example/customers",
      SUPEROFFICE_ENVIRONMENT: "online",
      SUPEROFFICE_LOGIN_URL: "https://login.example:8443/",
      POLL_SECONDS: "0.5",
      TENANT_SECONDS: "30",
      CONCURRENCY: "1000",
      REQUEST_TIMEOUT_SECONDS: "5",
      SHUTDOWN_SECONDS: "3600",
      WORK: "work.ts",
      WORK_TIMEOUT_SECONDS: "1.5",
      WORK_CALLS_PER_SECOND: "7",
      TICKET_REUSE: "off",
      NOTIFICATIONS_LISTEN: "127.0.0.1:3301",
      HEALTH_LISTEN: "[::]:65535",
      SUPEROFFICE_CLIENT_ID: "client-1",
      FORCE_COLOR: "1",
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318",
      LOG_LEVEL: "debug",
      LOG_FORMAT: "json",
      LOG_FILE: "/var/log/console.log",
      LOG_KEEP_DAYS: "400",
    });
    assert.deepEqual(run, {
      pollMs: 500,
      tenantMs: 30_000,
      concurrency: 1000,
      requestTimeoutMs: 5000,
      shutdownMs: 3_600_000,
      work: "work.ts",
      workTimeoutMs: 1_500,
      callsPerSecond: 7,
      reuseTickets: false,
      storesTickets: false,
      share: false,
      colours: true,
      sendsTelemetry: true,
      usesDenoTelemetry: false,
      proxies: undefined,
      notificationsAt: { host: "127.0.0.1", port: 3301 },
      healthAt: { host: "::", port: 65_535 },
      clientId: "client-1",
      log: { level: "debug", format: "json", file: "/var/log/console.log", keepDays: 400 },
    });
    assert.equal(target.databaseUrl, "postgresql://db.example/customers");
    assert.equal(target.loginUrl, "https://login.example:8443");
  });

  for (
    const [environment, loginUrl] of [
      ["sod", "https://sod.superoffice.com"],
      ["qaonline", "https://qaonline.superoffice.com"],
      ["stage", "https://qaonline.superoffice.com"],
      ["online", "https://online.superoffice.com"],
    ] as const
  ) {
    test(`finds the login host of ${environment}`, async () => {
      const { target } = await readSettings({ ...COMPLETE, SUPEROFFICE_ENVIRONMENT: environment });
      assert.equal(target.loginUrl, loginUrl);
    });
  }

  for (
    const loginUrl of [
      "https://online.superoffice.com",
      "https://proxy.example:8443",
      "http://localhost:5000",
      "http://127.0.0.1:5000",
      "http://[::1]:5000",
    ]
  ) {
    test(`takes the login host ${loginUrl}, with and without a slash`, async () => {
      for (const slash of ["", "/"]) {
        const { target } = await readSettings({
          ...COMPLETE,
          SUPEROFFICE_LOGIN_URL: loginUrl + slash,
        });
        assert.equal(target.loginUrl, loginUrl);
      }
    });
  }
});

describe("the proxies", () => {
  test("are read with their credentials, and a name in lower case comes first", () => {
    const { proxies } = readRunSettings({
      HTTPS_PROXY: "http://other.example:1",
      https_proxy: "http://me:p%40ss@proxy.example:3128/",
      HTTP_PROXY: "https://token@proxy.example",
      NO_PROXY: "*",
      no_proxy: ".Example.com, db  collector:4318",
    });
    assert.deepEqual(proxies, {
      https: {
        origin: "http://proxy.example:3128",
        host: "proxy.example:3128",
        credentials: { username: "me", password: "p@ss" },
      },
      http: {
        origin: "https://proxy.example",
        host: "proxy.example:443",
        credentials: { username: "token", password: "" },
      },
      direct: [".example.com", "db", "collector:4318"],
    });
  });

  test("keep their credentials as secrets, right or wrong", () => {
    const secrets = secretsOf({
      HTTPS_PROXY: "http://me:p%40ss@proxy.example:3128",
      http_proxy: "http://token-of-mine@proxy.example",
      HTTP_PROXY: "me:hun@ter2@proxy.example:3128",
      https_proxy: "http://another-token:@proxy.example",
    });
    for (const secret of ["p%40ss", "p@ss", "token-of-mine", "hun@ter2", "another-token"]) {
      assert.ok(secrets.includes(secret), secret);
    }
    assert.ok(!secrets.includes("me"));
  });
});

describe("readSettings names the variable and what it expects:", () => {
  const wrong: [string, string, RegExp][] = [
    ["DATABASE_URL", "mysql://user:database-password@host/db", /postgres:\/\/user:password@/],
    ["DATABASE_URL", "postgres:///db", /expected an address of the form/],
    ["DATABASE_URL", "db.example", /expected an address of the form/],
    ["SUPEROFFICE_ENVIRONMENT", "production", /expected one of sod, qaonline, online$/],
    ["SUPEROFFICE_ENVIRONMENT", "Online", /expected one of sod, qaonline, online$/],
    ["SUPEROFFICE_LOGIN_URL", "http://online.superoffice.com", /https address without a path/],
    ["SUPEROFFICE_LOGIN_URL", "http://192.168.1.1", /http for this machine alone/],
    ["SUPEROFFICE_LOGIN_URL", "http://localhost.example", /https address without a path/],
    ["SUPEROFFICE_LOGIN_URL", "https://online.superoffice.com/login", /without a path/],
    ["SUPEROFFICE_LOGIN_URL", "https://online.superoffice.com?a=b", /without a path/],
    ["SUPEROFFICE_LOGIN_URL", "https://me:word@online.superoffice.com", /https address/],
    ["SUPEROFFICE_LOGIN_URL", "online.superoffice.com", /https address/],
    ["SUPEROFFICE_LOGIN_URL", "ftp://online.superoffice.com", /https address/],
    ["DATABASE_URL", "postgres://user:abc@Hunter2/x@127.0.0.1:5432/db", /written %40/],
    ["DATABASE_URL", "postgres://user:pa#ss@127.0.0.1:5432/db", /written %40/],
    ["POLL_SECONDS", "often", /expected 0\.1 to 86400 seconds$/],
    ["POLL_SECONDS", "0", /expected 0\.1 to 86400 seconds$/],
    ["POLL_SECONDS", "0x10", /expected 0\.1 to 86400 seconds$/],
    ["POLL_SECONDS", "86401", /expected 0\.1 to 86400 seconds$/],
    ["TENANT_SECONDS", "0.01", /expected 0\.1 to 86400 seconds$/],
    ["TENANT_SECONDS", "86401", /expected 0\.1 to 86400 seconds$/],
    ["CONCURRENCY", "many", /expected auto or a whole number, 1 to 1000$/],
    ["CONCURRENCY", "1.5", /expected auto or a whole number, 1 to 1000$/],
    ["CONCURRENCY", "0", /expected auto or a whole number, 1 to 1000$/],
    ["CONCURRENCY", "1001", /expected auto or a whole number, 1 to 1000$/],
    ["WORK_CALLS_PER_SECOND", "0", /expected a whole number, 1 to 1000$/],
    ["REQUEST_TIMEOUT_SECONDS", "-1", /expected 0\.1 to 3600 seconds$/],
    ["REQUEST_TIMEOUT_SECONDS", "3601", /expected 0\.1 to 3600 seconds$/],
    ["SHUTDOWN_SECONDS", "1 minute", /expected 0\.1 to 3600 seconds$/],
    ["TICKET_REUSE", "no", /expected one of on, off$/],
    ["TICKET_STORE", "disk", /expected one of memory, database$/],
    ["SHARE", "yes", /expected one of on, off$/],
    ["NOTIFICATIONS_LISTEN", "3301", /expected an address of this machine and a port/],
    ["NOTIFICATIONS_LISTEN", "127.0.0.1", /expected an address of this machine and a port/],
    ["NOTIFICATIONS_LISTEN", "https://127.0.0.1:3301", /expected an address of this machine/],
    ["HEALTH_LISTEN", "127.0.0.1:0", /expected an address of this machine and a port/],
    ["HEALTH_LISTEN", "127.0.0.1:65536", /expected an address of this machine and a port/],
    ["HEALTH_LISTEN", "::1:3301", /expected an address of this machine and a port/],
    ["HEALTH_LISTEN", "[1.2.3.4]:3301", /expected an address of this machine and a port/],
    ["HEALTH_LISTEN", "console.example:3301", /expected an address of this machine and a port/],
    ["LOG_LEVEL", "verbose", /expected one of debug, info, warning, error$/],
    ["LOG_FORMAT", "xml", /expected one of text, json$/],
    ["LOG_KEEP_DAYS", "0", /expected a whole number, 1 to 36500$/],
    ["LOG_KEEP_DAYS", "a week", /expected a whole number, 1 to 36500$/],
    ["LOG_KEEP_DAYS", "36501", /expected a whole number, 1 to 36500$/],
    [
      "HTTPS_PROXY",
      "proxy.example:3128",
      /expected a proxy's address of the form http:\/\/host:port/,
    ],
    ["https_proxy", "socks5://proxy.example:1080", /a SOCKS proxy cannot be used; expected/],
    ["HTTP_PROXY", "ftp://proxy.example", /expected a proxy's address/],
    ["HTTPS_PROXY", "http://proxy.example:3128/path", /expected a proxy's address/],
    ["HTTPS_PROXY", "http://user:pass#word@proxy.example:3128", /written %40 .*%23/],
    ["HTTPS_PROXY", "http://user:100%@proxy.example:3128", /written %40 .*%25$/],
    [
      "SUPEROFFICE_PRIVATE_KEY_FILE",
      "/nonexistent/key.pem",
      /there is no such file\. Check the path/,
    ],
    ["SUPEROFFICE_PRIVATE_KEY_FILE", tmpdir(), / cannot be read: ./],
  ];
  for (const [name, value, expectation] of wrong) {
    test(`${name}=${value}`, async () => {
      const [fault = "", ...more] = await faultsOf({ ...COMPLETE, [name]: value });
      assert.deepEqual(more, []);
      assert.ok(fault.startsWith(`${name}: `), fault);
      assert.match(fault, expectation);
    });
  }

  for (
    const [name, expectation] of [
      ["DATABASE_URL", /^DATABASE_URL: missing; expected .*postgres:\/\//],
      ["SUPEROFFICE_CLIENT_SECRET", /^SUPEROFFICE_CLIENT_SECRET: missing; expected .*secret/],
      [
        "SUPEROFFICE_PRIVATE_KEY_FILE",
        /^SUPEROFFICE_PRIVATE_KEY or SUPEROFFICE_PRIVATE_KEY_FILE: missing; expected .*XML or PEM/,
      ],
    ] as const
  ) {
    test(`${name} missing`, async () => {
      const [fault = "", ...more] = await faultsOf({ ...COMPLETE, [name]: undefined });
      assert.deepEqual(more, []);
      assert.match(fault, expectation);
    });
  }

  test("tickets that are stored, and used but once, beside the other faults", async () => {
    const both = { TICKET_REUSE: "off", TICKET_STORE: "database" };
    const [other, fault = ""] = await faultsOf({ ...COMPLETE, ...both, POLL_SECONDS: "often" });
    assert.match(`${other}`, /^POLL_SECONDS: expected/);
    assert.match(fault, /^TICKET_STORE: database is of no use with TICKET_REUSE=off/);
    const { storesTickets } = readRunSettings({ TICKET_STORE: "database" });
    assert.equal(storesTickets, true);
  });

  test("work that is shared, with what does not go with it, beside the other faults", async () => {
    const variables = { SHARE: "on", TICKET_REUSE: "off", POLL_SECONDS: "1.5", LOG_LEVEL: "loud" };
    const faults = await faultsOf({ ...COMPLETE, ...variables });
    assert.equal(faults.length, 3);
    assert.match(faults.join("\n"), /SHARE: on needs .* TICKET_REUSE=off/);
    assert.match(faults.join("\n"), /POLL_SECONDS: expected whole seconds .*SHARE=on/);
    const { share, storesTickets, pollMs } = readRunSettings({ SHARE: "on", POLL_SECONDS: "7" });
    assert.deepEqual([share, storesTickets, pollMs], [true, true, 7000]);
  });

  test("both private keys set", async () => {
    const [fault = "", ...more] = await faultsOf({ ...COMPLETE, SUPEROFFICE_PRIVATE_KEY: KEY });
    assert.deepEqual(more, []);
    assert.match(fault, /SUPEROFFICE_PRIVATE_KEY and SUPEROFFICE_PRIVATE_KEY_FILE: both are set/);
  });

  test("a private key that is none, with what was found and how to mend it", async () => {
    const variables = {
      ...COMPLETE,
      SUPEROFFICE_PRIVATE_KEY_FILE: undefined,
      SUPEROFFICE_PRIVATE_KEY: PUBLIC_KEY,
    };
    const [fault = "", ...more] = await faultsOf(variables);
    assert.deepEqual(more, []);
    assert.match(fault, /^SUPEROFFICE_PRIVATE_KEY: .*public half.*openssl rsa/);
  });

  test("a file without a private key", async () => {
    const path = fileURLToPath(new URL("../../fixtures/keys/app-key.pub.pem", import.meta.url));
    const [fault = ""] = await faultsOf({ ...COMPLETE, SUPEROFFICE_PRIVATE_KEY_FILE: path });
    assert.match(fault, /^SUPEROFFICE_PRIVATE_KEY_FILE: .*public half/);
  });

  test("all that is wrong at once, and no secret's value", async () => {
    const faults = await faultsOf({
      DATABASE_URL: "mysql://user:database-password@host/db",
      SUPEROFFICE_ENVIRONMENT: "production",
      SUPEROFFICE_LOGIN_URL: "https://me:login-password@host/",
      SUPEROFFICE_PRIVATE_KEY: KEY.slice(0, 800),
      POLL_SECONDS: "often",
      CONCURRENCY: "0",
      REQUEST_TIMEOUT_SECONDS: "0",
      SHUTDOWN_SECONDS: "0",
      LOG_LEVEL: "verbose",
      LOG_FORMAT: "xml",
    });
    assert.deepEqual(
      new Set(faults.map((fault) => fault.split(":")[0])),
      new Set([
        "DATABASE_URL",
        "SUPEROFFICE_ENVIRONMENT",
        "SUPEROFFICE_LOGIN_URL",
        "SUPEROFFICE_CLIENT_SECRET",
        "SUPEROFFICE_PRIVATE_KEY",
        "POLL_SECONDS",
        "CONCURRENCY",
        "REQUEST_TIMEOUT_SECONDS",
        "SHUTDOWN_SECONDS",
        "LOG_LEVEL",
        "LOG_FORMAT",
      ]),
    );
    const all = faults.join("\n");
    for (const secret of ["database-password", "login-password", KEY.split("\n")[1]!]) {
      assert.ok(!all.includes(secret), "a secret's value is in the message");
    }
  });

  test("a slip in a name, beside what is missing for it", async () => {
    const variables = { ...COMPLETE, SUPEROFFICE_CLIENT_SECRET: undefined };
    const slips = misspelt(["SUPEROFICE_CLIENT_SECRET"], variables);
    const error = await readSettings(variables, slips).catch((error) => error);
    assert.match(error.message, /CLIENT_SECRET: missing[^]* SUPEROFICE_CLIENT_SECRET is not known/);
  });

  test("nothing of the right secrets when something else is wrong", async () => {
    const all = (await faultsOf({ ...COMPLETE, LOG_FORMAT: "xml" })).join("\n");
    assert.doesNotMatch(all, /the-client-secret|database-password/);
  });
});

describe("readRunSettings", () => {
  test("calls customers as often as polls begin, where they are to be called more often", () => {
    assert.equal(readRunSettings({ POLL_SECONDS: "20", TENANT_SECONDS: "5" }).tenantMs, 20_000);
    assert.equal(readRunSettings({ POLL_SECONDS: "20" }).tenantMs, 20_000);
    assert.equal(readRunSettings({ TENANT_SECONDS: "300" }).tenantMs, 300_000);
  });

  test("says that an interval that is shorter than a poll's has no effect", async () => {
    const warningsOf = (variables: Variables) => {
      const warnings: string[] = [];
      readRunSettings(variables, warnings);
      return warnings;
    };
    const [warning, ...others] = warningsOf({ TENANT_SECONDS: "5" });
    assert.match(warning!, /^TENANT_SECONDS=5 has no effect, .* POLL_SECONDS \(15\): /);
    assert.deepEqual(others, []);
    assert.deepEqual(warningsOf({ TENANT_SECONDS: "15" }), []);
    assert.deepEqual(warningsOf({}), []);
    const warnings: string[] = [];
    await readSettings({ ...COMPLETE, TENANT_SECONDS: "5" }, warnings);
    assert.deepEqual(warnings, [warning]);
  });

  test("needs nothing", () => {
    assert.equal(readRunSettings({}).concurrency, "auto");
  });

  test("does not look at what to run against", () => {
    readRunSettings({ DATABASE_URL: "nonsense", SUPEROFFICE_ENVIRONMENT: "nonsense" });
  });

  test("names every fault", () => {
    assert.throws(
      () => readRunSettings({ POLL_SECONDS: "x", LOG_LEVEL: "y" }),
      (error) => error instanceof SettingsError && error.faults.length === 2,
    );
  });
});

describe("readVariables", () => {
  const NAMES = ["TEST_FROM_FILE", "TEST_FROM_BOTH", "TEST_EMPTY", "TEST_BLANK", "TEST_EMPTY_HERE"];
  const home = process.cwd();
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "settings-"));
    process.chdir(directory);
  });
  afterEach(async () => {
    process.chdir(home);
    await rm(directory, { recursive: true });
    for (const name of NAMES) delete process.env[name];
  });
  after(() => assert.equal(process.cwd(), home));

  const own = async () =>
    Object.fromEntries(
      Object.entries(await readVariables()).filter(([name]) => NAMES.includes(name)),
    );

  test("gives the process's own variables when there is no file .env", async () => {
    process.env["TEST_FROM_BOTH"] = "process";
    assert.deepEqual(await own(), { TEST_FROM_BOTH: "process" });
  });

  test("adds those of the file .env, and the process's own come first", async () => {
    await writeFile(".env", "# a comment\nTEST_FROM_FILE='in quotes'\nTEST_FROM_BOTH=file\n");
    process.env["TEST_FROM_BOTH"] = "process";
    assert.deepEqual(await own(), { TEST_FROM_FILE: "in quotes", TEST_FROM_BOTH: "process" });
  });

  test("counts an empty one as not set", async () => {
    await writeFile(".env", "TEST_EMPTY=\nTEST_BLANK='  '\nTEST_EMPTY_HERE=file\n");
    process.env["TEST_EMPTY"] = "";
    process.env["TEST_EMPTY_HERE"] = " ";
    assert.deepEqual(await own(), { TEST_EMPTY_HERE: "file" });
  });

  test("reads a key over several lines in quotes", async () => {
    await writeFile(".env", `TEST_FROM_FILE="${KEY}"\n`);
    assert.ok((await own())["TEST_FROM_FILE"] === KEY.trim(), "the key is another one");
  });

  test("reads a .env with a byte order mark", async () => {
    await writeFile(".env", "\ufeffTEST_FROM_FILE=file\n");
    assert.deepEqual(await own(), { TEST_FROM_FILE: "file" });
  });

  for (const mark of ["\ufeff", ""]) {
    test(`says so when .env is in UTF-16, ${mark ? "with" : "without"} a byte order mark`, async () => {
      await writeFile(".env", `${mark}TEST_FROM_FILE=file\n`, "utf16le");
      await assert.rejects(readVariables(), {
        code: "SETTINGS_WRONG",
        message: /\.env cannot be read: it is written in UTF-16, .*PowerShell.* Save it as UTF-8/,
      });
    });
  }

  test("says so when .env cannot be read", async () => {
    await mkdir(".env");
    await assert.rejects(readVariables(), {
      code: "SETTINGS_WRONG",
      message: /\.env cannot be read/,
    });
  });
});

describe("misspelt", () => {
  for (
    const [name, meant] of [
      ["POL_SECONDS", "POLL_SECONDS"],
      ["SUPEROFICE_CLIENT_SECRET", "SUPEROFFICE_CLIENT_SECRET"],
      ["SUPEROFFICE_CLIENTSECRET", "SUPEROFFICE_CLIENT_SECRET"],
      ["SUPEROFFICE_PRIVATE_KEYFILE", "SUPEROFFICE_PRIVATE_KEY_FILE"],
      ["LOG_LEVLE", "LOG_LEVEL"],
      ["poll_seconds", "POLL_SECONDS"],
      ["DATABASE_URI", undefined],
      ["WORD", undefined],
      ["LOG_SIZE", undefined],
      ["DATABASE_USER", undefined],
      ["SUPEROFFICE_TENANT", undefined],
      ["TZ", undefined],
    ] as const
  ) {
    test(`of ${name} gives ${meant ?? "nothing"}`, () => {
      const said = misspelt([name], { DATABASE_URL: "x" });
      assert.deepEqual(
        said.map((sentence) => sentence.match(/is (\w+) meant/)?.[1]),
        meant ? [meant] : [],
      );
    });
  }

  test("says nothing of the variables of .env.example", async () => {
    const example = await readFile(new URL("../../.env.example", import.meta.url), "utf8");
    const names = [...example.matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name!);
    assert.ok(names.length > 5);
    assert.deepEqual(misspelt(names, {}), []);
  });
});

describe("namesNoTarget", () => {
  for (
    const [variables, expected] of [
      [{}, true],
      [{ POLL_SECONDS: "1", LOG_LEVEL: "debug", PATH: "/bin" }, true],
      [{ MY_SUPEROFFICE_KEY: "x", MY_DATABASE_URL: "x" }, true],
      [{ DATABASE_URL: "x" }, false],
      [{ SUPEROFFICE_CLIENT_SECRET: "x" }, false],
      [{ SUPEROFFICE_ENVIRONMENT: "sod" }, false],
    ] as const
  ) {
    test(`is ${expected} of ${Object.keys(variables).join(", ") || "nothing"}`, () => {
      assert.equal(namesNoTarget(variables), expected);
    });
  }
});

describe("secretsOf", () => {
  for (
    const [databaseUrl, secrets] of [
      ["postgres://user:pass%20word@host/db", ["the-secret", "pass%20word", "pass word"]],
      ["postgres://:word@host/db", ["the-secret", "word", "word"]],
      ["postgres://user:100%@host/db", ["the-secret", "100%"]],
      ["postgres://user@host/db", ["the-secret"]],
      ["postgres://host:5432/db", ["the-secret"]],
    ] as const
  ) {
    test(`finds ${secrets.length} in what runs against ${databaseUrl}`, () => {
      const variables = { SUPEROFFICE_CLIENT_SECRET: "the-secret", DATABASE_URL: databaseUrl };
      assert.deepEqual(secretsOf({ ...COMPLETE, ...variables }), secrets);
    });
  }
});
