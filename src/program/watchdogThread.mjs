// A thread that notices when the program's event loop stands still, and says whose work script it is. On Node it has the main
// thread say so itself, between two steps of what blocks it; where that cannot be, it writes the line on its own.
// Not TypeScript, since tsx on Node 20 does not reach into threads.
import inspector from "node:inspector";
import process from "node:process";
import { workerData } from "node:worker_threads";

const { beat, isPrinting, holder, blockedMs, sayBlocked, format, explanation, unknown } =
  workerData;
const BEAT_MS = 250;
/** What runs in the platform itself, such as another program that is waited for, is not interrupted. */
const SPEAK_UP_MS = 1000;

let last = -1;
let sameFor = 0;
let isTold = false;
// Its own ticks are counted, since a machine that slept or was short of time holds up both threads.
setInterval(() => {
  const now = Atomics.load(beat, 0);
  // A reader that does not read is no script's fault.
  const goesOn = now !== last || Atomics.load(isPrinting, 0) !== 0;
  if (goesOn) [last, sameFor, isTold] = [now, 0, false];
  else if (++sameFor * BEAT_MS >= blockedMs && !isTold) {
    isTold = true;
    interruptMainThread();
  }
}, BEAT_MS);

function interruptMainThread() {
  const session = new inspector.Session();
  const timer = setTimeout(() => {
    session.disconnect();
    writeLine();
  }, SPEAK_UP_MS);
  try {
    session.connectToMainThread();
  } catch {
    // Deno has no such way.
    clearTimeout(timer);
    writeLine();
    return;
  }
  session.once("Debugger.paused", ({ params }) => {
    clearTimeout(timer);
    const [{ callFrameId }] = params.callFrames;
    const expression = `globalThis[Symbol.for(${JSON.stringify(sayBlocked)})]?.()`;
    session.post("Debugger.evaluateOnCallFrame", { callFrameId, expression }, () => {
      session.post("Debugger.resume", () => session.disconnect());
    });
  });
  session.post("Debugger.enable");
  session.post("Debugger.pause");
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
  process.stderr.write(`${line}\n`);
}
