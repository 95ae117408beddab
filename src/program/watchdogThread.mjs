// A thread that notices when the program's event loop stands still, and says whose work script it is. On Node it has the main
// thread say so itself, between two steps of what blocks it; where that cannot be, it writes the line on its own.
// Not TypeScript, since tsx on Node 20 does not reach into threads.
import { writeSync } from "node:fs";
import inspector from "node:inspector";
import { setTimeout as delay } from "node:timers/promises";
import { workerData } from "node:worker_threads";

const { beat, isTold, isPrinting, holder, blockedMs, sayBlocked, format, explanation, unknown } =
  workerData;
const BEAT_MS = 250;
const LOOKS = 40;
const LOOK_MS = 20;
/** A step of the platform itself may take so long, such as another program that is waited for. */
const SPEAK_UP_MS = 1000;

let last = -1;
let sameFor = 0;
let session;
// Its own ticks are counted, since a machine that slept or was short of time holds up both threads.
setInterval(() => {
  const now = Atomics.load(beat, 0);
  // A reader that does not read is no script's fault.
  const goesOn = now !== last || Atomics.load(isPrinting, 0) !== 0;
  if (!goesOn) {
    if (++sameFor === Math.ceil(blockedMs / BEAT_MS)) void speakUp();
    return;
  }
  [last, sameFor] = [now, 0];
  Atomics.store(isTold, 0, 0);
  session?.disconnect();
  session = undefined;
}, BEAT_MS);

async function speakUp() {
  const own = session = new inspector.Session();
  const isOver = () => session !== own || Atomics.load(isTold, 0) !== 0;
  try {
    own.connectToMainThread();
  } catch {
    // Deno has no such way.
    writeLine();
    return;
  }
  // No pause is asked for: where the debugger pauses there may be no frame that knows anything, and a regular expression does
  // not pause at all. This comes in between even so.
  for (let look = 1; look <= LOOKS && !isOver(); look++) {
    const expression = `globalThis[Symbol.for(${JSON.stringify(sayBlocked)})](${look === LOOKS})`;
    own.post("Runtime.evaluate", { expression });
    await delay(LOOK_MS);
  }
  await delay(SPEAK_UP_MS);
  if (isOver()) return;
  Atomics.store(isTold, 0, 1);
  writeLine();
}

function writeLine() {
  const customer = String.fromCharCode(...holder.subarray(1, holder[0] + 1))
    .replace(/[^\x20-\x7e]/g, "?");
  const { problem, remedy, code } = explanation;
  const message = `${customer || unknown}: ${problem}. ${remedy} [${code}]`;
  const time = new Date().toISOString();
  const line = format === "json"
    ? JSON.stringify({ time, level: "warning", message, customer, problem, remedy, code })
    : `${time} WARNING ${message}`;
  try {
    // Not process.stderr, which on Node is the main thread's.
    writeSync(2, `${line}\n`);
  } catch {
    // Nobody reads, and the thread has to look on.
  }
}
