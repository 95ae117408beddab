// What the program makes of any setting, command line, secret and log record.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, describe } from "node:test";
import fc from "fast-check";
import { readCommandLine } from "../src/program/commandLine.ts";
import { readCustomersCommandLine } from "../src/program/customersCommandLine.ts";
import type { SettingsError } from "../src/program/errors.ts";
import { closeLog, openLog } from "../src/program/log.ts";
import { createSecrets } from "../src/program/knownSecrets.ts";
import { isOwnWord } from "../src/program/ownWords.ts";
import { createRedact } from "../src/program/redact.ts";
import { inspectSettings, readRunSettings, readSettings } from "../src/program/settings.ts";
import { secretsOf, type Variables } from "../src/program/variables.ts";
import { errorOf, oddText, property, repeatedText, written } from "./support/property.ts";

const [xml, pkcs8] = await Promise.all(
  ["xml", "pkcs8.pem"].map((name) =>
    readFile(new URL(`../fixtures/keys/app-key.${name}`, import.meta.url), "utf8")
  ),
) as [string, string];

describe("settings are read, or every fault is named and no secret:", () => {
  const CLIENT_SECRET = "client-secret-0123456789";
  const PASSWORD = "pass-word-0123456789";
  const address = `postgres://user:${PASSWORD}@host:5432/database`;
  const numbers = fc.oneof(
    fc.double().map(String),
    fc.bigInt().map(String),
    fc.constantFrom("0", "0.1", "00015", "1e3", "٣", " 15", "15\n", "9".repeat(400)),
  );
  const values = (...right: string[]) =>
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...right) },
      fc.tuple(fc.constantFrom(...right), oddText).map((parts) => parts.join("")),
      fc.tuple(oddText, fc.constantFrom(...right)).map((parts) => parts.join("")),
      oddText,
      numbers,
    );
  const variables: fc.Arbitrary<Variables> = fc.record({
    POLL_SECONDS: values("15"),
    CONCURRENCY: values("32", "auto"),
    REQUEST_TIMEOUT_SECONDS: values("30"),
    SHUTDOWN_SECONDS: values("10"),
    WORK: values("work.ts"),
    TICKET_REUSE: values("on", "off"),
    TICKET_STORE: values("memory", "database"),
    LOG_LEVEL: values("info"),
    LOG_FORMAT: values("json"),
    LOG_FILE: values("console.log"),
    LOG_KEEP_DAYS: values("92"),
    NO_COLOR: values("1"),
    DATABASE_URL: values(address, address.replace("host", "a,b"), `${address}?ssl=require`),
    SUPEROFFICE_ENVIRONMENT: values("sod", "stage", "online"),
    SUPEROFFICE_LOGIN_URL: values("https://sod.superoffice.com", "http://127.0.0.1:5000/"),
    SUPEROFFICE_CLIENT_SECRET: values(CLIENT_SECRET),
    SUPEROFFICE_PRIVATE_KEY: values(xml, pkcs8, xml.slice(0, 900)),
    SUPEROFFICE_PRIVATE_KEY_FILE: values(pkcs8, xml, "no such file"),
  }, { requiredKeys: [] });

  const assertSaysNoSecret = (faults: string[]) => {
    assert.ok(faults.length > 0);
    for (const fault of faults) {
      assert.match(fault, /^[A-Z_]{4,}/);
      for (const secret of [CLIENT_SECRET, PASSWORD, xml.slice(60, 90), pkcs8.slice(60, 90)]) {
        assert.ok(!fault.includes(secret), fault);
      }
    }
  };

  property("how to run", variables, async (variables) => {
    const error = await errorOf(() => {
      const { pollMs, concurrency, log } = readRunSettings(variables);
      assert.ok(pollMs >= 100 && pollMs <= 86_400_000);
      const atOnce = Number(concurrency);
      assert.ok(
        concurrency === "auto" || Number.isInteger(atOnce) && atOnce >= 1 && atOnce <= 1000,
      );
      assert.match(`${log.level} ${log.format}`, /^(debug|info|warning|error) (text|json)$/);
    }, "SETTINGS_WRONG");
    if (error !== undefined) assertSaysNoSecret((error as SettingsError).faults);
  });

  property("right or wrong", variables, (variables) => {
    const { faults, databaseUrl, loginUrl, clientSecret } = inspectSettings(variables);
    if (faults.length > 0) assertSaysNoSecret(faults);
    else assert.ok(databaseUrl && loginUrl && clientSecret);
    if (loginUrl === undefined) return;
    assert.equal(loginUrl, new URL(loginUrl).origin);
    assert.match(loginUrl, /^https:|^http:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|$)/);
  });

  property("with the private key", variables, async (variables) => {
    const error = await errorOf(async () => {
      const { target } = await readSettings(variables);
      assert.equal(target.privateKey.type, "private");
    }, "SETTINGS_WRONG");
    if (error !== undefined) assertSaysNoSecret((error as SettingsError).faults);
  }, { share: 0.5 });

  property("whatever its length", repeatedText, (text) => {
    const value = written(text);
    const names = ["DATABASE_URL", "SUPEROFFICE_LOGIN_URL", "SUPEROFFICE_CLIENT_SECRET"];
    const variables = Object.fromEntries([...names, "POLL_SECONDS"].map((name) => [name, value]));
    inspectSettings(variables);
    secretsOf(variables);
  }, { share: 0.3 });

  property(
    "and the database's password is known as a secret",
    oddText.map((password) => `postgres://user:${password}@host/database`),
    (DATABASE_URL) => {
      const { databaseUrl } = inspectSettings({ DATABASE_URL });
      if (databaseUrl === undefined || !URL.canParse(databaseUrl)) return;
      const { password } = new URL(databaseUrl);
      if (decoded(password).length < 4 || isOwnWord(decoded(password))) return;
      const redact = createRedact(createSecrets(secretsOf({ DATABASE_URL })));
      assert.equal(redact(decoded(password)), "[secret]");
    },
  );
});

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

describe("a command line is understood, or refused as documented:", () => {
  const args = (...known: string[]) =>
    fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom(...known) },
        oddText,
        oddText.map((name) => `--${name}`),
        oddText.map((name) => `-${name}`),
        fc.tuple(fc.constantFrom(...known), oddText).map((parts) => parts.join("=")),
      ),
      { maxLength: 5 },
    );

  property(
    "the console's",
    args("--once", "--demo", "--work", "--help", "-h", "--", "x"),
    (args) => errorOf(() => readCommandLine(args), "USAGE_WRONG"),
  );

  property(
    "the customers', which repeats nothing",
    fc.tuple(
      args(
        "list",
        "add",
        "restart",
        "remove",
        "Cust1",
        "--yes",
        "--token-stdin",
        "--replace",
        "--json",
        "-h",
      ),
      fc.nat({ max: 5 }),
      fc.constantFrom("", "--", "--yes=", "--help=", "-", "cust"),
    ),
    async ([args, at, before]) => {
      const token = `${before}Secret App-pzqc70604i`;
      const error = await errorOf(
        () => {
          const request = readCustomersCommandLine(args.toSpliced(at, 0, token));
          if (request === "help") return;
          for (const customer of request.customers) assert.match(customer, /^Cust\d+$/);
        },
        "USAGE_WRONG",
      );
      assert.doesNotMatch(error?.message ?? "", /pzqc70604i/);
    },
  );
});

describe("a secret is hidden in all that is printed:", () => {
  /** The forms in which it may stand in a text, longer than what would be found in words. */
  const formsOf = (secret: string) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
  ];
  const secretText = fc.oneof(
    fc.string({ minLength: 4, maxLength: 30 }),
    fc.string({ unit: "binary", minLength: 4, maxLength: 30 }),
    fc.tuple(oddText, fc.constant("äß%/+&=?"), oddText).map((parts) => parts.join("")),
  ).filter((secret) => secret.length >= 4 && !isOwnWord(secret));
  const embedded = fc.record({
    secrets: fc.array(secretText, { minLength: 1, maxLength: 3 }),
    parts: fc.array(fc.tuple(oddText, fc.nat({ max: 2 }), fc.nat({ max: 2 })), {
      minLength: 1,
      maxLength: 4,
    }),
  });

  property("in each of its forms", embedded, ({ secrets, parts }) => {
    const redact = createRedact(createSecrets(secrets));
    const text = parts.map(([before, which, form]) =>
      before + formsOf(secrets[which % secrets.length]!)[form]
    ).join("");
    // What stands between the marks was there before.
    for (const rest of redact(text).split("[secret]")) {
      for (const form of secrets.flatMap(formsOf)) {
        assert.ok(!rest.includes(form), `«${form}» is in «${rest}»`);
      }
    }
  });

  property("until it is forgotten", fc.array(secretText), (all) => {
    const secrets = createSecrets(all);
    for (const secret of all) secrets.delete(secret);
    assert.deepEqual(secrets.findIn(all.join(" ")), []);
  });

  property("whatever the text's length", repeatedText, (text) => {
    createRedact(createSecrets(["client-secret", "a b", "\\\\\\\\"]))(written(text));
  }, { share: 0.3 });
});

describe("a log record is one line:", () => {
  const SECRET = 'client "secret" äß\\/0123456789';
  const lines: string[] = [];
  const redact = createRedact(createSecrets([SECRET]));
  const open = (format: "text" | "json", isTerminal = false) =>
    openLog(
      { level: "debug", format, file: undefined, keepDays: 1 },
      redact,
      (line) => lines.push(line),
      isTerminal,
    );
  after(closeLog);
  const texts = fc.tuple(oddText, fc.constantFrom("", "", SECRET, "<P>"), oddText)
    .map((parts) => parts.join(""));
  const plain = fc.oneof(texts, fc.double(), fc.boolean(), fc.constant(null));
  const records = fc.record({
    message: fc.oneof(
      fc.constantFrom("{problem}. {remedy} [{code}]", "{customer}: {step} in {ms} ms"),
      texts,
    ),
    properties: fc.oneof(
      fc.record({ customer: texts, problem: texts, code: texts, ms: plain }),
      fc.dictionary(oddText, plain),
    ),
  });
  const anything = fc.dictionary(
    oddText,
    fc.anything({ withBigInt: true, withDate: true, withMap: true, withSparseArray: true }),
  );

  async function lineOf(
    format: "text" | "json",
    message: string,
    properties: Record<string, unknown>,
    isTerminal = false,
  ): Promise<string> {
    const log = await open(format, isTerminal);
    lines.length = 0;
    log.warn(message, properties);
    assert.equal(lines.length, 1, `it came to ${lines.length} lines: ${lines.join("")}`);
    const line = lines[0]!;
    assert.ok(line.endsWith("\n"));
    return line.slice(0, -1);
  }
  property("as text", records, async ({ message, properties }) => {
    const line = await lineOf("text", message, properties);
    assert.doesNotMatch(line, /\p{Cc}/u);
    assert.ok(!line.includes(SECRET));
  });

  property("as text in a terminal", records, async ({ message, properties }) => {
    const line = await lineOf("text", message, properties, true);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(line.replace(/\x1b\[\d+m/g, ""), /\p{Cc}/u);
    assert.ok(!line.includes(SECRET));
  });

  property("as JSON", records, async ({ message, properties }) => {
    const line = await lineOf("json", message, properties);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(line, /[\0-\x1f]/);
    const { level } = JSON.parse(line);
    if (!Object.hasOwn(properties, "level")) assert.equal(level, "warning");
    for (const form of [SECRET, JSON.stringify(SECRET).slice(1, -1)]) {
      assert.ok(!line.includes(form));
    }
  });

  property("which nothing breaks, hides or reorders", records, async ({ message, properties }) => {
    for (const format of ["text", "json"] as const) {
      const line = await lineOf(format, message, properties);
      assert.doesNotMatch(line, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u, format);
    }
  });

  for (const format of ["text", "json"] as const) {
    property(`as ${format}, with whatever a script gives`, anything, async (properties) => {
      const line = await lineOf(format, "{*}", properties);
      if (format === "json") JSON.parse(line);
      else assert.ok(!line.includes("\n"), `several lines: ${line}`);
    });
  }

  property("as JSON, without the name of a property that is a secret", texts, async (name) => {
    const line = await lineOf("json", "said", { [name]: 1 });
    assert.ok(!Object.keys(JSON.parse(line)).some((key) => key.includes(SECRET)));
  });
});
