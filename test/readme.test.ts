import assert from "node:assert/strict";
import { access, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { HELP } from "../src/program/commandLine.ts";
import { emptyFolder, runConsole } from "./support/childConsole.ts";

const ROOT = new URL("..", import.meta.url);
const read = (path: string) => readFile(new URL(path, ROOT), "utf8");

test("the README's work script does its work on the demo's tenants", async () => {
  const samples = [...(await read("README.md")).matchAll(/```ts\n(.*?)```/gs)];
  const [, sample = ""] = samples.find(([, lines]) => lines!.includes("satisfies Work")) ?? [];
  const path = join(emptyFolder(), "sync.ts");
  await writeFile(path, sample);
  const { exitCode, output } = await runConsole(["--demo", "--once", "--work", path], {});
  assert.match(output, /Cust10001 begins with Alpha Ltd/);
  assert.match(output, /Cust10001: 3 contacts read$/m);
  assert.equal(exitCode, 0);
});

const PAGES = [
  "README.md",
  "src/superoffice/README.md",
  "src/program/operation.md",
  "src/program/security.md",
  "src/program/refusals.md",
  "src/console/share/severalMachines.md",
  "src/console/listeners/listeners.md",
  "src/approve/approval.md",
  "test/bench/README.md",
];
for (const page of PAGES) {
  test(`every file that ${page} links to exists`, async () => {
    const links = [...(await read(page)).matchAll(/\]\((?!https?:)([^)#]+)\)/g)];
    for (const [, path] of links) await access(new URL(path!, new URL(page, ROOT)));
    if (page === "README.md") {
      const linked = links.map(([, path]) => path);
      for (const other of PAGES.slice(1)) assert.ok(linked.includes(other), other);
    }
  });
}

for (const page of PAGES) {
  test(`what ${page} shows as code stands on one line, so that it can be copied`, async () => {
    const text = (await read(page)).replace(/^( *)```.*?^\1```$/gms, "");
    const broken = [...text.matchAll(/(`+)([^`]+)\1/g)].map(([span]) => span)
      .filter((span) => span.includes("\n"));
    assert.deepEqual(broken, []);
  });
}

test("every command that the README names exists as npm script and as deno task", async () => {
  const { scripts } = JSON.parse(await read("package.json"));
  const { tasks } = JSON.parse(await read("deno.json"));
  const readme = await read("README.md");
  for (const [, name] of readme.matchAll(/npm run (\w+)/g)) assert.ok(scripts[name!], name);
  for (const [, name] of readme.matchAll(/deno task (\w+)/g)) assert.ok(tasks[name!], name);
});

test("every setting is in the README and in --help, by the same name", async () => {
  const settings = await read("src/program/settings.ts") +
    await read("src/program/approvalSettings.ts");
  const names = [...settings.matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name]) => name!);
  assert.ok(names.length > 12);
  const readme = await read("README.md");
  for (const name of names) {
    assert.ok(readme.includes(`\`${name}\``), `${name} is not in the README`);
    assert.ok(HELP.includes(`${name} `), `${name} is not in --help`);
  }
});
