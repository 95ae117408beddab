import process from "node:process";

/** What finds programs and packages, and what Node and Deno keep of them so that they start faster. */
const OF_THE_RUNTIME = ["PATH", "HOME", "DENO_DIR", "NODE_COMPILE_CACHE"];

/** The environment for a process that is started: these variables alone, beside those of the runtime. */
export function cleanEnvironment(variables: Record<string, string>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of OF_THE_RUNTIME) {
    const value = process.env[name];
    if (value !== undefined) kept[name] = value;
  }
  return { ...kept, ...variables };
}
