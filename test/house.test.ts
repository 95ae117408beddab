// Holds the house: who may import whom, and that no arrow goes up or in a circle.
import assert from "node:assert/strict";
import { access, readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What each room may import beside itself and the platform: rooms, and packages. */
const ROOMS: Record<string, string[]> = {
  superoffice: ["jose", "zod"],
  // pg-boss is imported by a name in a variable, since it is there for those alone who share the work.
  database: ["postgres", "pg-boss"],
  console: ["superoffice", "database", "undici", "type @logtape/logtape"],
  program: [
    "superoffice",
    "database",
    "console",
    "zod",
    "@logtape/*",
    "@opentelemetry/*",
    // The demo alone, which a vendor does not ship.
    "fixtures",
  ],
  doctor: ["superoffice", "database", "console", "program", "jose"],
  approve: ["superoffice", "database", "console", "program", "oauth4webapi", "zod"],
  // The commands.
  "": ["superoffice", "database", "console", "program", "doctor", "approve"],
};

interface Import {
  from: string;
  /** A file of the project, or a package. */
  to: string;
  isTypeOnly: boolean;
}

async function readImports(): Promise<Import[]> {
  const files = (await readdir(join(ROOT, "src"), { recursive: true }))
    .filter((file) => file.endsWith(".ts")).map((file) => join("src", file));
  assert.ok(files.length > 40);
  const found = files.map(async (from) => {
    const source = (await readFile(join(ROOT, from), "utf8")).replace(/\/\*.*?\*\//gs, "");
    const statements = source.matchAll(
      /^(?:import|export)\s(type\s)?[^;"]*?from "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm,
    );
    return [...statements].map(([, type, ...names]): Import => {
      const name = names.find((name) => name !== undefined)!;
      const to = name.startsWith(".") ? normalize(join(dirname(from), name)) : name;
      return { from, to, isTypeOnly: type !== undefined };
    });
  });
  return (await Promise.all(found)).flat();
}

function roomOf(file: string): string {
  const [top, room = "", ...rest] = file.split("/");
  if (top !== "src") return top!;
  return rest.length > 0 ? room : "";
}

function packageOf(name: string): string {
  return name.split("/").slice(0, name.startsWith("@") ? 2 : 1).join("/");
}

const imports = await readImports();

test("imports go down or sideways, and each room has its own packages", () => {
  const up = imports.filter(({ from, to, isTypeOnly }) => {
    if (to.startsWith("node:")) return false;
    const allowed = ROOMS[roomOf(from)] ?? assert.fail(`${from} is in no room`);
    if (/^(src|fixtures)\//.test(to)) {
      return roomOf(to) !== roomOf(from) && !allowed.includes(roomOf(to));
    }
    const name = packageOf(to);
    const names = [name, `${name.split("/")[0]}/*`, ...(isTypeOnly ? [`type ${name}`] : [])];
    return !names.some((name) => allowed.includes(name));
  });
  assert.deepEqual(up, []);
});

test("the demo alone reaches into fixtures/", () => {
  const reaching = imports.filter(({ to }) => to.startsWith("fixtures/"));
  assert.deepEqual(reaching.map(({ from }) => from), ["src/program/demo.ts"]);
});

test("nothing inside imports the wire as a whole, which would load all of it at start-up", () => {
  assert.deepEqual(imports.filter(({ to }) => to === "src/superoffice/mod.ts"), []);
});

test("pg-boss is named in one place, where it is loaded for those who share the work", async () => {
  const files = new Set(imports.map(({ from }) => from));
  const naming: string[] = [];
  for (const file of files) {
    if (/"pg-boss"/.test(await readFile(join(ROOT, file), "utf8"))) naming.push(file);
  }
  assert.deepEqual(naming, ["src/database/pgBoss.ts"]);
});

test("pg-boss has the same version wherever it is named", async () => {
  const version = JSON.parse(await readFile(join(ROOT, "deno.json"), "utf8")).imports["pg-boss"]
    .replace("npm:", "");
  for (const file of ["src/database/pgBoss.ts", "src/console/share/severalMachines.md"]) {
    const text = await readFile(join(ROOT, file), "utf8");
    const named = [...text.matchAll(/pg-boss@[\d.]+\d/g)].map(([name]) => name);
    assert.deepEqual([...new Set(named)], [version], file);
  }
});

test("no imports go in a circle", () => {
  const state = new Map<string, "open" | "done">();
  const visit = (file: string, path: string[]): void => {
    if (state.get(file) === "done") return;
    assert.notEqual(state.get(file), "open", [...path, file].join(" → "));
    state.set(file, "open");
    for (const { from, to } of imports) if (from === file) visit(to, [...path, file]);
    state.set(file, "done");
  };
  for (const { from } of imports) visit(from, []);
});

const TESTED_ROOMS = ["superoffice", "database", "console", "program", "approve"];

async function testsOf(room: string): Promise<string[]> {
  const files = await readdir(join(ROOT, "test", room), { recursive: true });
  return files.filter((file) => file.endsWith(".test.ts"));
}

test("the tests of a room lie in a folder of the same name, each by its file's name", async () => {
  for (const room of TESTED_ROOMS) {
    for (const file of await testsOf(room)) {
      await access(join(ROOT, "src", room, file.replace(".test.ts", ".ts")));
    }
  }
});

test("the tests of a room start no console: they are the quick ones, which are run while one works", async () => {
  for (const room of TESTED_ROOMS) {
    for (const file of await testsOf(room)) {
      const source = await readFile(join(ROOT, "test", room, file), "utf8");
      assert.doesNotMatch(source, /\b(startConsole|startCommand|runConsole)\b/, file);
    }
  }
});
