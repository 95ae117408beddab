import { stat } from "node:fs/promises";
import process from "node:process";

/** Is done with files that hold secrets: on Deno gives up the right to read them, so that nothing that runs here later has it. */
export function closeSecretFiles(...paths: string[]): void {
  for (const path of paths) deno?.permissions.revokeSync({ name: "read", path });
}

const { Deno: deno } = globalThis as {
  Deno?: { permissions: { revokeSync(right: { name: string; path: string }): unknown } };
};

/** Undefined when nobody else may read it, or there is no such file. */
export async function faultOfRights(path: string): Promise<string | undefined> {
  if (process.platform === "win32") return undefined;
  const mode = await stat(path).then(({ mode }) => mode, () => 0);
  return (mode & 0o004) === 0
    ? undefined
    : `${path} holds a secret, and every user of this machine may read it: chmod o= ${path}`;
}
