// The wire, lifted out: the folder alone in an empty project, with its two packages and the README's lines.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { emptyFolder } from "../support/childConsole.ts";
import { cleanEnvironment } from "../support/cleanEnvironment.ts";
import { CLIENT_SECRET, makeTenants } from "../support/sampleTenants.ts";
import { startTestStandIn } from "../support/testStandIn.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PACKAGES = ["jose", "zod"];

test("the folder and its README's lines log on in a project of their own", async () => {
  const project = emptyFolder();
  await cp(join(ROOT, "src/superoffice"), join(project, "superoffice"), { recursive: true });
  await cp(join(ROOT, "fixtures/keys/app-key.xml"), join(project, "private-key.xml"));
  await writeFile(join(project, "main.ts"), await readLines());
  const command = "Deno" in globalThis ? await addToDeno(project) : await addToNode(project);

  const [tenant] = makeTenants(1);
  const standIn = await startTestStandIn([tenant!]);
  const { exitCode, output } = await run(command, project, {
    SUPEROFFICE_LOGIN_URL: standIn.loginUrl,
    SUPEROFFICE_CLIENT_SECRET: CLIENT_SECRET,
    SYSTEM_USER_TOKEN: tenant!.systemUserToken,
  });
  await standIn.close();
  assert.equal(output, `Logged on to ${standIn.hostUrls[0]}/Cust10001/api as Associate 10001\n`);
  assert.equal(exitCode, 0);
});

/** The README's lines, for the tenant that is there. */
async function readLines(): Promise<string> {
  const readme = await readFile(join(ROOT, "src/superoffice/README.md"), "utf8");
  const [, lines] = [...readme.matchAll(/```ts\n(.*?)```/gs)]
    .find(([, lines]) => lines!.includes("createSuperOffice")) ?? [];
  return lines!.replace("Cust12345", "Cust10001");
}

async function addToNode(project: string): Promise<string[]> {
  await writeFile(join(project, "package.json"), JSON.stringify({ type: "module" }));
  for (const name of PACKAGES) {
    await mkdir(join(project, "node_modules"), { recursive: true });
    const source = join(ROOT, "node_modules", name);
    await cp(source, join(project, "node_modules", name), { recursive: true });
  }
  const stripsTypes = "typescript" in process.features && process.features.typescript;
  return stripsTypes ? ["main.ts"] : ["--import", import.meta.resolve("tsx"), "main.ts"];
}

async function addToDeno(project: string): Promise<string[]> {
  const { dependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const imports = PACKAGES.map((name) => [name, `npm:${name}@${dependencies[name]}`]);
  const config = { imports: Object.fromEntries(imports) };
  await writeFile(join(project, "deno.json"), JSON.stringify(config));
  return ["run", "--quiet", "--allow-all", "main.ts"];
}

async function run(args: string[], cwd: string, variables: Record<string, string>) {
  const env = cleanEnvironment(variables);
  const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => output += text);
  }
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { exitCode, output };
}
