import process from "node:process";

/** The environment for a process that is started: these variables alone, beside what finds programs and packages. */
export function cleanEnvironment(variables: Record<string, string>): Record<string, string> {
  const { PATH = "", HOME = "", DENO_DIR } = process.env;
  return { PATH, HOME, ...(DENO_DIR === undefined ? {} : { DENO_DIR }), ...variables };
}
