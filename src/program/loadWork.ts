import { access } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { catchTimerErrors } from "../console/atWork.ts";
import type { LoadedWork } from "../console/work.ts";
import { SettingsError } from "./errors.ts";
import { tellForeignExit } from "./foreignExit.ts";

/** Loads a work script. Throws {@link SettingsError} when there is none, or it exports no function by default. */
export async function loadWork(path: string): Promise<LoadedWork> {
  const file = resolve(path);
  await access(file).catch(() => {
    throw new SettingsError([`WORK or --work: there is no file ${file}`]);
  });
  catchTimerErrors();
  tellForeignExit(basename(file));
  const module = await import(pathToFileURL(file).href).catch((cause) => {
    throw new SettingsError([
      `WORK or --work: ${path} cannot be loaded: ${
        stripVTControlCharacters(cause.message).replaceAll("\n", " ")
      }`,
    ]);
  });
  if (typeof module.default !== "function") {
    throw new SettingsError([
      `WORK or --work: ${path} has no default export that is a function; it should read ` +
      "`export default async function ({ fetch, log }: WorkContext) { … }`",
    ]);
  }
  return { run: module.default, fileName: basename(file) };
}
