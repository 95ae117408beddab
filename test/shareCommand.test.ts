// What consoles that share the work say: on the command line, where what they need is not there, and of the beats.
import assert from "node:assert/strict";
import { cp, mkdir, readdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { emptyFolder, runConsole, startConsole } from "./support/childConsole.ts";
import { hasPgBoss } from "./support/pgBossHere.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { testDatabases } from "./support/testDatabase.ts";
import { startTestStandIn } from "./support/testStandIn.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const nowhere = settingsFor(
  { loginUrl: "http://127.0.0.1:9" },
  "postgres://vendor@127.0.0.1:9/crm",
);

test("--share is not for one customer, however it is asked for", async () => {
  const named = ["--once", "--customer", "Cust1"];
  for (
    const { exitCode, output } of [
      await runConsole(["--share", ...named], nowhere),
      await runConsole(named, { ...nowhere, SHARE: "on" }),
    ]
  ) {
    assert.equal(exitCode, 2, output);
    assert.match(output, /--customer .* one console alone/);
  }
});

test(
  "a package that is not there is told of at the start, with how to install it, and the console does not begin",
  { skip: "Deno" in globalThis && "Deno gets the package by itself" },
  async () => {
    const root = emptyFolder();
    await cp(join(ROOT, "src"), join(root, "src"), { recursive: true });
    await cp(join(ROOT, "package.json"), join(root, "package.json"));
    // All packages but that one.
    const packages = join(ROOT, "node_modules");
    await mkdir(join(root, "node_modules"));
    for (const name of await readdir(packages)) {
      if (name !== "pg-boss") await symlink(join(packages, name), join(root, "node_modules", name));
    }
    const main = join(root, "src/main.ts");
    const customers = join(root, "src/customers.ts");
    for (
      const { exitCode, output } of [
        await runConsole(["--share", "--once"], nowhere, dirname(main), main),
        await runConsole(["--once"], { ...nowhere, SHARE: "on" }, dirname(main), main),
        await runConsole(["share-sql"], nowhere, dirname(main), customers),
      ]
    ) {
      assert.equal(exitCode, 2, output);
      assert.match(
        output,
        /^Sharing the work needs the package pg-boss@[\d.]+\nInstall it: npm install --no-save pg-boss@/,
      );
    }
  },
);

test(
  "customers share-sql prints what an administrator runs, for the user that the console has",
  { skip: !hasPgBoss && "pg-boss is not installed" },
  async () => {
    const { exitCode, output } = await runConsole(
      ["share-sql"],
      nowhere,
      undefined,
      join(ROOT, "src/customers.ts"),
    );
    assert.equal(exitCode, 0, output);
    assert.match(
      output,
      /CREATE SCHEMA IF NOT EXISTS pgboss[^]*grant usage on schema pgboss to "vendor";/,
    );
  },
);

for (const { name, start } of testDatabases) {
  const skip = !hasPgBoss && "pg-boss is not installed";
  const CUSTOMERS = 30;

  test(`--share --once takes what is left of the beat, and says where nothing is, on ${name}`, {
    skip,
  }, async () => {
    const { sql, databaseUrl, close } = await start();
    const tenants = makeTenants(CUSTOMERS);
    const standIn = await startTestStandIn(tenants);
    await fillTable(sql, tenants);
    // A beat that lasts; its interval holds for consoles that run on.
    const settings = {
      ...settingsFor(standIn, databaseUrl),
      POLL_SECONDS: "43200",
      TENANT_SECONDS: "86400",
      CONCURRENCY: "1",
    };
    const first = await runConsole(["--share", "--once"], settings);
    assert.equal(first.exitCode, 0, first.output);
    assert.match(
      first.output,
      /Logging on at \S+, once, sharing the work with other consoles, one tenant at a time\./,
    );
    assert.match(
      first.output,
      /Poll done in \d+ ms: 30 logged on, 0 skipped, 0 failed, 30 calls$/m,
    );
    const second = await runConsole(["--share", "--once"], settings);
    assert.equal(second.exitCode, 0, second.output);
    assert.match(
      second.output,
      /Poll done in \d+ ms: 0 logged on, 0 skipped, 0 failed; nothing was left of this beat, .* the next begins in \d+ s$/m,
    );
    await standIn.close();
    await close();
  });

  test(
    `of consoles that share the work with TENANT_SECONDS, a newcomer gets one call, so does a changed row; who fails gets one at each beat, on ${name}`,
    { skip },
    async () => {
      const { sql, databaseUrl, close } = await start();
      const tenants = makeTenants(CUSTOMERS);
      const standIn = await startTestStandIn(tenants);
      await fillTable(sql, tenants);
      const [failing, changed] = tenants.map(({ contextIdentifier }) => contextIdentifier);
      const calls = new Map<string, number>();
      standIn.events.on("request", (place: string, contextIdentifier: string) => {
        if (place === "call") calls.set(contextIdentifier, (calls.get(contextIdentifier) ?? 0) + 1);
      });
      standIn.misbehave({
        at: "call",
        contextIdentifier: failing!,
        how: { status: 500 },
        times: 1e6,
      });
      const settings = {
        ...settingsFor(standIn, databaseUrl),
        POLL_SECONDS: "2",
        TENANT_SECONDS: "86400",
        // So that a failure takes no time.
        REQUEST_TIMEOUT_SECONDS: "0.5",
      };
      const children = [startConsole(["--share"], settings), startConsole(["--share"], settings)];
      const polls = () => children.map(({ output }) => (output().match(/Poll done/g) ?? []).length);
      const forPolls = async (more: number) => {
        const before = polls();
        await Promise.all(
          children.map((child, at) => child.waitFor(/Poll done/, before[at]! + more)),
        );
      };
      const others = () =>
        [...calls].filter(([name]) => name !== failing && name !== changed).map(([, times]) =>
          times
        );

      await forPolls(5);
      assert.deepEqual(others(), Array(CUSTOMERS - 2).fill(1));
      assert.equal(calls.get(changed!), 1);
      standIn.tenants.get(changed!.toLowerCase())!.systemUserToken = "Test App-new";
      await sql`
        update customers set system_user_token = 'Test App-new'
        where context_identifier = ${changed!}`;
      await forPolls(5);
      assert.deepEqual(others(), Array(CUSTOMERS - 2).fill(1));
      assert.equal(calls.get(changed!), 2);
      const times = new Set(
        children.flatMap(({ output }) =>
          output().match(new RegExp(`\\S+ WARNING ${failing}:`, "g")) ?? []
        ),
      );
      assert.ok(times.size >= 7, `${times.size}`);
      for (const child of children) child.signal("SIGTERM");
      for (const child of children) assert.equal(await child.ended, 0, child.output());
      await standIn.close();
      await close();
    },
  );
}
