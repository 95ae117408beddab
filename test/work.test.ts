import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chmod, copyFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Place, StandIn } from "../fixtures/standIn.ts";
import { openDatabase } from "../src/database/connection.ts";
import { restartWork } from "../src/database/customerTable.ts";
import { emptyFolder, runConsole, startConsole } from "./support/childConsole.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { createTestConsole } from "./support/testConsole.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { type TestDatabase, testDatabases } from "./support/testDatabase.ts";

const SAMPLES: [string, RegExp][] = [
  ["readContacts.ts", /Cust10001: 3 contacts read$/m],
  ["readContactWithWebApi.ts", /Cust10001: contact 1 is Alpha Ltd$/m],
  ["resumeSinceLastSync.ts", /Cust10001: 3 contacts in all$/m],
];

const threeTenants = makeTenants(3);
let database: TestDatabase;
let standIn: StandIn;
let settings: Record<string, string>;

before(async () => {
  database = await testDatabases[0]!.start();
  standIn = await startTestStandIn(threeTenants);
  settings = settingsFor(standIn, database.databaseUrl);
  await fillTable(database.sql, threeTenants);
});

after(async () => {
  await standIn.close();
  await database.close();
});

for (const [sample, summary] of SAMPLES) {
  test(`the sample ${sample} does its work in each tenant`, async () => {
    const path = fileURLToPath(new URL(`../fixtures/work/${sample}`, import.meta.url));
    await fillTable(database.sql, threeTenants);
    const grants = "Deno" in globalThis && sample.includes("WebApi") ? ["--allow-env"] : [];
    const args = ["--once", "--work", path, ...grants];
    const { exitCode, output } = await runConsole(args, settings);
    assert.match(output, summary);
    assert.match(output, /3 logged on, 0 skipped, 0 failed/);
    assert.equal(exitCode, 0);
  });
}

test("the third sample resumes where its last run that ended well began, and begins afresh when restarted", async () => {
  const contacts = [
    { contactId: 1, name: "Old Ltd", updatedDate: new Date("2020-01-01T00:00:00Z") },
  ];
  const tenants = makeTenants(1).map((tenant) => ({ ...tenant, contacts }));
  const standIn = await startTestStandIn(tenants);
  const { sql, databaseUrl } = database;
  await fillTable(sql, tenants);
  const row = async () => (await sql`select last_sync, last_work from customers`)[0]!;
  const failing = join(emptyFolder(), "failing.ts");
  await writeFile(failing, `export default async () => { throw new Error("no budget"); };`);
  const sample = fileURLToPath(new URL("../fixtures/work/resumeSinceLastSync.ts", import.meta.url));
  const outputOf = async (...args: string[]) =>
    (await runConsole(["--once", ...args], settingsFor(standIn, databaseUrl))).output;

  await outputOf();
  const { last_sync: loggedOnAt, last_work: before } = await row();
  assert.deepEqual([loggedOnAt === null, before], [false, null], "a log-on is no work");
  assert.match(await outputOf("--work", sample), /Cust10001: 1 contacts in all/);
  const { last_work: beganAt } = await row();
  assert.ok(beganAt > loggedOnAt);

  assert.match(await outputOf("--work", failing), /Cust10001: The work script failed/);
  await outputOf();
  assert.deepEqual((await row())["last_work"], beganAt);

  contacts.push({ contactId: 2, name: "New Ltd", updatedDate: new Date(beganAt.getTime() + 1) });
  contacts.push({ contactId: 3, name: "Newer Ltd", updatedDate: new Date() });
  const second = await outputOf("--work", sample);
  assert.ok(second.includes(`Cust10001: 2 contacts changed since ${beganAt.toISOString()}`));
  assert.ok((await row())["last_work"] > beganAt);

  const own = openDatabase(databaseUrl);
  assert.deepEqual(await restartWork("cust10001", own), ["Cust10001"]);
  await own.end();
  assert.match(await outputOf("--work", sample), /Cust10001: 3 contacts in all/);
  await fillTable(sql, threeTenants);
  await standIn.close();
});

test("in a console that runs on, each run goes on from the one before", async () => {
  const { sql, databaseUrl } = database;
  await fillTable(sql, threeTenants.slice(0, 1));
  const script = join(emptyFolder(), "since.ts");
  await writeFile(
    script,
    `export default async ({ lastSync }) => ({ summary: "since " + lastSync?.toISOString() });`,
  );
  const variables = { ...settings, DATABASE_URL: databaseUrl, POLL_SECONDS: "1" };
  const child = startConsole(["--work", script], variables);
  await child.waitFor(/: since /, 3);
  child.signal("SIGTERM");
  assert.equal(await child.ended, 0);
  await fillTable(sql, threeTenants);
  const since = [...child.output().matchAll(/: since (\S+)/g)].map(([, when]) => when);
  assert.equal(since[0], "undefined");
  assert.ok(since[2]! > since[1]!, since.join(", "));
  assert.notEqual(since[1], "undefined");
});

test("a work script that throws fails its customer alone, with the script's line", async () => {
  const folder = emptyFolder();
  const path = join(folder, "sync.ts");
  await writeFile(
    path,
    `export default async ({ contextIdentifier }: { contextIdentifier: string }) => {
      if (contextIdentifier === "Cust10002") throw new Error("no budget");
      return { summary: "done" };
    };`,
  );
  const { exitCode, output } = await runConsole(["--once", "--work", path], settings);
  assert.match(
    output,
    /WARNING Cust10002: The work script failed at sync\.ts:\d+: no budget\..*\[WORK_FAILED\]/,
  );
  assert.match(output, /Cust10001: done/);
  assert.match(output, /3 logged on \(the work failed for 1 of them\), 0 skipped, 0 failed/);
  assert.equal(exitCode, 1);
});

test("what a work script leaves behind fails its customer when it fails, and ends nothing", async () => {
  const path = join(emptyFolder(), "careless.ts");
  await writeFile(
    path,
    `const fail = () => { throw new Error("left behind"); };
    export default async ({ contextIdentifier, fetch }) => {
      if (contextIdentifier === "Cust10001") void fetch("v1/Contact").then(fail);
      if (contextIdentifier === "Cust10002") await new Promise(() => setTimeout(fail, 1));
      return { summary: "done" };
    };`,
  );
  const child = startConsole(["--work", path], { ...settings, POLL_SECONDS: "0.2" });
  const summary = /3 logged on \(the work failed for 2 of them\), 0 skipped, 0 failed/;
  await child.waitFor(summary, 3);
  child.signal("SIGTERM");
  assert.equal(await child.ended, 0);
  const failure =
    /WARNING (\S+): The work script did not wait for .* at careless\.ts:1: left behind\./g;
  const failed = [...child.output().matchAll(failure)].map(([, customer]) => customer);
  assert.deepEqual([...new Set(failed)].sort(), ["Cust10001", "Cust10002"]);
  assert.match(child.output(), /Cust10003: done/);
});

const LOOPS = { sums: "", microtasks: "await Promise.resolve()" };
for (const [what, step] of Object.entries(LOOPS)) {
  test(`an endless loop of ${what} is named, after what was logged, and Ctrl-C still ends the program`, async () => {
    const path = join(emptyFolder(), "busy.ts");
    await writeFile(
      path,
      `export default async ({ contextIdentifier, fetch, log }) => {
        await (await fetch("v1/Contact")).json();
        if (contextIdentifier === "Cust10002") log.info("here I stay");
        while (contextIdentifier === "Cust10002") ${step};
      };`,
    );
    const child = startConsole(["--work", path], settings);
    await child.waitFor(/WARNING Cust10002: The work script .*nothing else go on.*\[WORK_BLOCKS\]/);
    assert.match(child.output(), /Logged on to context Cust10002 [^]*here I stay[^]*WORK_BLOCKS/);
    // On Deno the second one does.
    const again = setInterval(() => child.signal("SIGINT"), 400);
    child.signal("SIGINT");
    void child.exited.then(() => clearInterval(again));
    const exitCode = await child.ended;
    assert.ok(exitCode === 130 || exitCode === null, `${exitCode}`);
  });
}

const EXITS = "Deno" in globalThis ? ["process.exit", "Deno.exit"] : ["process.exit"];
for (const exit of EXITS) {
  test(`a work script that calls ${exit} is named, after what was logged`, async () => {
    const path = join(emptyFolder(), "leaving.ts");
    await writeFile(
      path,
      `export default async ({ contextIdentifier, fetch, log }) => {
        await (await fetch("v1/Contact")).json();
        if (contextIdentifier !== "Cust10002") return;
        log.info("here I go");
        ${exit}(3);
      };`,
    );
    const { exitCode, output } = await runConsole(["--work", path], settings);
    const call = exit.replace(".", "\\.");
    assert.match(output, new RegExp(`^Cust10002: .* called ${call} at leaving\\.ts:5,`, "m"));
    assert.match(output, /here I go$/m);
    assert.equal(exitCode, 3);
  });
}

const WRONG: [string, string | undefined, RegExp][] = [
  ["a path where nothing is", undefined, /there is no file .*work\.ts/],
  ["a module without a default export", "export const work = 1;", /no default export.*function/],
  [
    "a module whose default export is no function",
    "export default 42;",
    /no default export.*function/,
  ],
  ["a module that cannot be loaded", "throw new Error('broken');", /cannot be loaded: broken/],
];
for (const [what, source, message] of WRONG) {
  test(`${what} is exit code 2 and a sentence`, async () => {
    const path = join(emptyFolder(), "work.ts");
    if (source !== undefined) await writeFile(path, source);
    const { exitCode, output } = await runConsole(["--demo", "--once", "--work", path], {});
    assert.match(output, message);
    assert.doesNotMatch(output, /^\s+at |Logging on/m);
    assert.equal(exitCode, 2);
  });
}

async function tenantFetch() {
  const tenants = makeTenants(2);
  const standIn = await startTestStandIn(tenants);
  const { contextIdentifier } = tenants[0]!;
  const api = `${standIn.hostUrls[0]}/${contextIdentifier}/api`;
  const tested = createTestConsole(standIn, { requestTimeoutMs: 2000 });
  return { standIn, api, fetch: tested.fetchFor(tenants[0]!) };
}

test("the tenant's fetch takes a path, an address or a Request, and adds the credentials", async () => {
  const { standIn, api, fetch } = await tenantFetch();
  for (
    const input of [
      "v1/Contact?$top=1",
      "/v1/Contact?$top=1",
      `${api}/v1/Contact?$top=1`,
      new URL(`${api}/v1/Contact?$top=1`),
      new Request(`${api}/v1/Contact?$top=1`),
    ]
  ) {
    const response = await fetch(input);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /json/);
    assert.equal((await response.json()).value.length, 1);
  }
  assert.equal(standIn.counts.exchange, 1);
  await standIn.close();
});

test("the tenant's fetch takes a Request with what is to differ from it, and heeds its signal", async () => {
  const { standIn, api, fetch } = await tenantFetch();
  const request = new Request(`${api}/v1/Contact?$top=1`);
  await assert.rejects(fetch(request, { signal: AbortSignal.abort(new Error("enough")) }), {
    message: "enough",
  });
  assert.equal(standIn.counts.exchange, 0);
  standIn.misbehave({ at: "call", how: "reset" });
  await assert.rejects(fetch(request, { method: "POST", body: "{}" }), { code: "NETWORK_FAILED" });
  assert.equal(standIn.counts.call, 1, "a POST is not repeated");
  await standIn.close();
});

test("the tenant's fetch sends nothing outside the tenant's own address", async () => {
  const { standIn, api, fetch } = await tenantFetch();
  const other = api.replace("Cust10001", "Cust10002");
  for (
    const input of [
      `${other}/v1/Contact`,
      "v1/../../../Cust10002/api/v1/Contact",
      "https://elsewhere.example/v1/Contact",
      "//elsewhere.example/v1/Contact",
      `${api}x/v1/Contact`,
      "file:///etc/passwd",
    ]
  ) {
    await assert.rejects(
      fetch(input),
      { code: "HOST_UNTRUSTED", remedy: /use globalThis\.fetch/ },
      input,
    );
  }
  assert.equal(standIn.counts.call, 0);
  await standIn.close();
});

test("the tenant's fetch gives a Response for every status, after what may help was tried", async () => {
  const { standIn, fetch } = await tenantFetch();
  assert.equal((await fetch("v1/Nothing")).status, 404);
  const end = standIn.misbehave({
    at: "call",
    how: { status: 503, headers: { "retry-after": "99" } },
  });
  assert.equal((await fetch("v1/Contact")).status, 503);
  end();
  standIn.forgetTickets();
  assert.equal((await fetch("v1/Contact")).status, 200);
  assert.equal(standIn.counts.exchange, 2);
  standIn.tenants.get("cust10001")!.host = 1;
  assert.equal((await fetch("v1/Contact")).status, 200);
  await standIn.close();
});

test("the tenant's fetch tells why a refused ticket could not be replaced", async () => {
  const { standIn, fetch } = await tenantFetch();
  await fetch("v1/Contact");
  standIn.forgetTickets();
  standIn.misbehave({ at: "exchange", how: { status: 403 } });
  await assert.rejects(fetch("v1/Contact"), { code: "FORBIDDEN", message: /the exchange/ });
  await standIn.close();
});

test("a POST that may have done its work is not repeated, a GET is", async () => {
  const { standIn, fetch } = await tenantFetch();
  await fetch("v1/Contact");
  const callsOf = async (method: string, how: "reset" | { status: number }) => {
    const before = standIn.counts.call;
    const end = standIn.misbehave({ at: "call" as Place, how });
    await fetch("v1/Contact", { method, ...(method === "POST" ? { body: "{}" } : {}) })
      .catch(() => {});
    end();
    return standIn.counts.call - before;
  };
  assert.equal(await callsOf("POST", "reset"), 1);
  assert.equal(await callsOf("PATCH", "reset"), 1);
  assert.equal(await callsOf("POST", { status: 500 }), 1);
  assert.ok(await callsOf("POST", { status: 429 }) > 1);
  assert.ok(await callsOf("GET", "reset") > 1);
  await standIn.close();
});

test("on Deno a work script reaches nothing but its tenant, and finds no secret", {
  skip: !("Deno" in globalThis),
}, async () => {
  const folder = emptyFolder();
  const other = join(folder, "another-application.pem");
  const data = join(folder, "another.json");
  const link = join(folder, "link.ts");
  for (const path of [other, data]) await writeFile(path, "{}");
  const { SUPEROFFICE_PRIVATE_KEY_FILE: keyFile = "" } = settings;
  await symlink(keyFile, link);
  const path = join(folder, "curious.ts");
  await writeFile(
    path,
    `
    import process from "node:process";
    import { readFile, writeFile } from "node:fs/promises";
    export const named = () => [
      import(${JSON.stringify(other)}),
      import(${JSON.stringify(data)}, { with: { type: "json" } }),
      import("./.env"),
      import("./link.ts"),
    ];
    const tries = {
      "another's key": () => readFile(${JSON.stringify(other)}),
      "another's data": () => readFile(${JSON.stringify(data)}),
      "a link to the key": () => readFile(${JSON.stringify(link)}),
      "its own key": () => readFile(${JSON.stringify(keyFile)}),
      "the settings": () => readFile(".env"),
      "the environment": () => { if (process.env.SUPEROFFICE_CLIENT_SECRET || process.env.DATABASE_URL) return 1; throw 0; },
      "the process": () => readFile("/proc/self/environ"),
      "writing": () => writeFile("x", "y"),
      "a program": () => new Deno.Command("id").output(),
      "a host": () => Deno.connect({ hostname: "192.0.2.1", port: 80 }),
    };
    export default async () => {
      const got = [];
      for (const [what, attempt] of Object.entries(tries)) {
        try { await attempt(); got.push(what); } catch { /* as it should be */ }
      }
      return { summary: "it got " + (got.join(", ") || "nothing") };
    };`,
  );
  await writeFile(join(folder, ".env"), "POLL_SECONDS=15\n");
  await fillTable(database.sql, threeTenants.slice(0, 1));
  const { output } = await runConsole(["--once", "--work", path], settings, folder);
  assert.match(output, /Cust10001: it got nothing$/m);
});

test("on Deno the log has a folder of its own, or it is said", {
  skip: !("Deno" in globalThis),
}, async () => {
  const { SUPEROFFICE_PRIVATE_KEY_FILE: keyFile = "" } = settings;
  for (const file of ["console.log", "/console.log", keyFile.replace(/[^/]*$/, "console.log")]) {
    const { exitCode, output } = await runConsole(["--once"], { ...settings, LOG_FILE: file });
    assert.match(output, /LOG_FILE: on Deno it needs a folder of its own/);
    assert.equal(exitCode, 2);
  }
});

test("what the console took from its environment is no longer there for a work script", async () => {
  const folder = emptyFolder();
  const path = join(folder, "curious.ts");
  await writeFile(
    path,
    `
    import process from "node:process";
    export default async () => ({
      summary: "it got " + [process.env.SUPEROFFICE_CLIENT_SECRET, process.env.DATABASE_URL].join("") + "nothing",
    });`,
  );
  await fillTable(database.sql, threeTenants.slice(0, 1));
  const { output } = await runConsole(["--once", "--work", path], settings, folder);
  assert.match(output, /Cust10001: it got nothing$/m);
});

test("a key or settings that every user may read are warned of, with what to type", async () => {
  const folder = emptyFolder();
  const key = join(folder, "key.pem");
  await copyFile(settings["SUPEROFFICE_PRIVATE_KEY_FILE"]!, key);
  await writeFile(join(folder, ".env"), "");
  const variables = { ...settings, SUPEROFFICE_PRIVATE_KEY_FILE: "key.pem" };
  for (const file of [key, join(folder, ".env")]) await chmod(file, 0o644);
  const { output } = await runConsole(["--once"], variables, folder);
  assert.match(output, /WARNING \.env holds a secret.*: chmod o= \.env$/m);
  assert.match(output, /WARNING key\.pem holds a secret.*: chmod o= key\.pem$/m);
  for (const file of [key, join(folder, ".env")]) await chmod(file, 0o640);
  const { output: quiet } = await runConsole(["--once"], variables, folder);
  assert.doesNotMatch(quiet, /WARNING/);
});
