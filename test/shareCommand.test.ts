// What is said before consoles share the work: on the command line, and where what they need is not there.
import assert from "node:assert/strict";
import { cp, mkdir, readdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { emptyFolder, runConsole } from "./support/childConsole.ts";
import { hasPgBoss } from "./support/pgBossHere.ts";
import { settingsFor } from "./support/sampleTenants.ts";

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
