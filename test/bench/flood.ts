// What floods at its listeners cost a console: npm run bench:flood, with --customers 10000 for another number.
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SignJWT } from "jose";
import { createSigningKey } from "../../fixtures/jwts.ts";
import { freePort } from "../support/freePort.ts";
import { openBenchDatabase } from "./benchDatabase.ts";
import { startChild } from "./childLines.ts";
import { startConsoleChild } from "./consoleChild.ts";
import { median } from "./median.ts";
import { deno, node, type Runtime } from "./runtimes.ts";
import { startStandInChild } from "./standInChild.ts";

/** What a flood has to know. */
export interface Flood {
  flood:
    | "nothing"
    | "connections that say nothing"
    | "connections with half of their headers"
    | "bodies that are none"
    | "forged notifications"
    | "questions for /livez";
  port: number;
  healthPort: number;
  /** One that names a key of the login host's, and was signed with another. */
  jwt: string;
}

const FLOODS: Flood["flood"][] = [
  "nothing",
  "connections that say nothing",
  "connections with half of their headers",
  "bodies that are none",
  "forged notifications",
  "questions for /livez",
];
const FLOOD_PROCESS = fileURLToPath(new URL("floodProcess.ts", import.meta.url));
const POLL_SECONDS = 1;
const POLLS = 10;
const LOOK_MS = 100;

const { values } = parseArgs({ options: { customers: { type: "string", default: "1000" } } });
const customers = Number(values.customers);

async function forgedFor(loginUrl: string): Promise<string> {
  const { keys: [known] } = await (await fetch(`${loginUrl}/login/.well-known/jwks`)).json();
  const { privateKey } = await createSigningKey();
  return await new SignJWT({ iss: loginUrl }).setProtectedHeader({ alg: "RS256", kid: known.kid })
    .sign(privateKey);
}

/** How long the console takes to answer whether it is well, over and over; how often it did not. */
function watchHealth(healthPort: number) {
  const took: number[] = [];
  let missed = 0;
  let isOver = false;
  const ended = (async () => {
    while (!isOver) {
      const startedAt = performance.now();
      const isWell = await fetch(`http://127.0.0.1:${healthPort}/livez`, {
        signal: AbortSignal.timeout(5000),
      }).then(async (answer) => (await answer.text()) !== "" && answer.ok, () => false);
      if (isWell) took.push(performance.now() - startedAt);
      else missed++;
      await delay(LOOK_MS);
    }
  })();
  return async () => {
    isOver = true;
    await ended;
    return { livezMs: Math.round(median(took)), slowestMs: Math.round(Math.max(...took)), missed };
  };
}

async function measure(runtime: Runtime, databaseUrl: string): Promise<void> {
  const standIn = await startStandInChild(customers, 0);
  const [port, healthPort] = [await freePort(), await freePort()];
  const child = startConsoleChild(runtime, {
    loginUrl: standIn.loginUrl,
    databaseUrl,
    pollSeconds: POLL_SECONDS,
    variables: {
      NOTIFICATIONS_LISTEN: `127.0.0.1:${port}`,
      HEALTH_LISTEN: `127.0.0.1:${healthPort}`,
    },
    expected: /notification\(s\) were refused/,
  });
  const jwt = await forgedFor(standIn.loginUrl);
  let seen = (await child.polls(5)).length;
  for (const flood of FLOODS) {
    const input: Flood = { flood, port, healthPort, jwt };
    const flooding = startChild(node.command, FLOOD_PROCESS, input);
    const healthOf = watchHealth(healthPort);
    // The first one began before it.
    const polls = (await child.polls(seen + 1 + POLLS)).slice(seen + 1);
    const health = await healthOf();
    const answer = flooding.next<Record<string, number>>();
    await Promise.all([answer, flooding.close()]);
    const pollMs = median(polls.map(({ ms }) => ms));
    const cpuMs = median(polls.map(({ cpuMs }) => cpuMs));
    console.log(
      JSON.stringify({
        runtime: runtime.name,
        flood,
        pollMs,
        cpuMs,
        ...health,
        sent: await answer,
      }),
    );
    seen = (await child.polls(seen + 2 + POLLS)).length;
  }
  await child.stop();
  await standIn.close();
}

const database = await openBenchDatabase();
try {
  await database.fill(customers);
  for (const runtime of [node, deno]) await measure(runtime, database.databaseUrl);
} finally {
  await database.close();
}
process.exit(0);
