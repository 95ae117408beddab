import { spawn } from "node:child_process";
import process from "node:process";
import { cleanEnvironment } from "../support/cleanEnvironment.ts";
import { settingsFor } from "../support/sampleTenants.ts";
import { median } from "./median.ts";
import { deno, findStrippingNode, MAIN, node, ROOT } from "./runtimes.ts";
import { startStandInChild } from "./standInChild.ts";

/** Milliseconds from the command to what is named; null where the command is not to be had. */
export interface StartUpFigures {
  /** To the first log line, with real settings. */
  npxTsx: number;
  /** The same for a program that prints one line and imports nothing: the least that npx and tsx can take. */
  npxTsxOfNothing: number;
  nodeWithTsx: number;
  nodeStrippingTypes: number | null;
  strippingNodeVersion: string | null;
  denoTask: number;
  /** To the first customer of the demo. */
  demoOnNode: number;
  demoOnDeno: number;
}

const NPX_TSX = ["npx", "tsx", "src/main.ts"];
const FIRST_LINE = /Logging on at/;
const FIRST_CUSTOMER = /Logged on to context/;

export async function measureStartUp(
  times: number,
  databaseUrl: string,
): Promise<StartUpFigures> {
  const { loginUrl, close } = await startStandInChild(1, 0);
  const real = settingsFor({ loginUrl }, databaseUrl);
  const stripping = findStrippingNode();
  const denoTask = [deno.command[0]!, "task", "--quiet", "start"];
  const figures = {
    npxTsx: await medianOf(times, NPX_TSX, real, FIRST_LINE),
    npxTsxOfNothing: await medianOf(
      times,
      ["npx", "tsx", "-e", "console.log('Logging on at')"],
      {},
      FIRST_LINE,
    ),
    nodeWithTsx: await medianOf(times, [...node.command, MAIN], real, FIRST_LINE),
    nodeStrippingTypes: stripping === undefined
      ? null
      : await medianOf(times, [...stripping.command, MAIN], real, FIRST_LINE),
    strippingNodeVersion: stripping?.version ?? null,
    denoTask: await medianOf(times, denoTask, real, FIRST_LINE),
    demoOnNode: await medianOf(times, [...NPX_TSX, "--demo"], {}, FIRST_CUSTOMER),
    demoOnDeno: await medianOf(times, [...denoTask, "--demo"], {}, FIRST_CUSTOMER),
  };
  await close();
  return figures;
}

async function medianOf(
  times: number,
  command: string[],
  variables: Record<string, string>,
  pattern: RegExp,
): Promise<number> {
  const all: number[] = [];
  for (let time = 0; time < times; time++) all.push(await msUntil(command, variables, pattern));
  return median(all);
}

/** How long it takes until the command prints what is looked for; the command is then ended. */
async function msUntil(
  [program = "", ...args]: string[],
  variables: Record<string, string>,
  pattern: RegExp,
): Promise<number> {
  const env = cleanEnvironment(variables);
  const startedAt = performance.now();
  // A group of its own, so that what npx started is ended, too.
  const child = spawn(program, args, { cwd: ROOT, env, stdio: "pipe", detached: true });
  let output = "";
  const ended = new Promise((resolve) => child.once("close", resolve));
  const ms = await new Promise<number>((resolve, reject) => {
    child.once("close", () => reject(new Error(`${program} ended: ${output}`)));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (pattern.test(output)) resolve(performance.now() - startedAt);
      });
    }
  });
  process.kill(-child.pid!, "SIGKILL");
  await ended;
  return ms;
}
