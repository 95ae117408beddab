// Lets Node 20 run TypeScript in half the time that tsx takes to start, which the tests would else spend hundreds of times:
//   node --import ./test/support/typescript.mjs --test test/console/poll.test.ts
// Newer ones strip types themselves, and need it not.
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { register } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

/** What was made of a source is kept by its digest, beside the package that made it. */
const CACHE = new URL("../../node_modules/.cache/typescript/", import.meta.url);

// Node loads this file twice: once here, once as the hook, in a thread of its own.
if (isMainThread && !process.features.typescript) {
  process.setSourceMapsEnabled(true);
  register(import.meta.url);
}

/** @type {import("node:module").LoadHook} */
export async function load(url, context, nextLoad) {
  if (!/^file:.*\.ts$/.test(url)) return nextLoad(url, context);
  const path = fileURLToPath(url);
  const source = await readFile(path, "utf8");
  const digest = createHash("sha256").update(path).update("\0").update(source).digest("hex");
  const kept = new URL(`${digest}.js`, CACHE);
  const code = await readFile(kept).catch(() => transpile(source, path, kept));
  return { format: "module", shortCircuit: true, source: code };
}

/** Gives JavaScript with its source map, and keeps it where it can. */
async function transpile(source, path, kept) {
  const { transform } = await import("esbuild");
  const { code } = await transform(source, {
    loader: "ts",
    sourcefile: path,
    sourcemap: "inline",
    sourcesContent: false,
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  });
  // Another process may be at the same.
  const own = new URL(randomBytes(6).toString("hex"), CACHE);
  await mkdir(CACHE, { recursive: true }).then(() => writeFile(own, code))
    .then(() => rename(own, kept)).catch(() => {});
  return code;
}
