// Loaded into the console before its own code, for the soak: every so often writes a line to a file with what cannot be seen
// from outside. It counts what is begun and not ended: timers, and the listeners of abort signals that still exist.
import { appendFileSync } from "node:fs";
import process from "node:process";
import { isMainThread } from "node:worker_threads";

/** What a line holds. */
export interface Inside {
  rssMb: number;
  heapUsedMb: number;
  heapTotalMb: number;
  externalMb: number;
  arrayBuffersMb: number;
  /** Whether it was measured after a collection of all garbage. */
  isCollected: boolean;
  timers: number;
  abortListeners: number;
  processListeners: number;
  /** What keeps the process alive, by kind. */
  resources: Record<string, number>;
}

/** How it is told what to do, in the environment. */
export interface PreloadVariables {
  SOAK_FILE: string;
  SOAK_EVERY_MS: string;
  /** Each how many lines the garbage is collected; 0 never, since it would make memory look smaller than it is in use. */
  SOAK_COLLECT_EVERY: string;
  /** `yes` leaks at each poll, to show that the soak finds it. */
  SOAK_LEAK: string;
}

const { SOAK_FILE: file, SOAK_EVERY_MS, SOAK_COLLECT_EVERY, SOAK_LEAK } = process.env;
const MB = 2 ** 20;
const timers = new Set<unknown>();
const signals = new Set<WeakRef<AbortSignal>>();
const listenersOf = new WeakMap<AbortSignal, Set<unknown>>();
const { gc } = globalThis as { gc?: () => void };

function watchTimers(): void {
  const { setTimeout: begin, clearTimeout: end } = globalThis;
  const watched = (handler: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const timer = begin(
      function (this: unknown, ...given: unknown[]) {
        timers.delete(timer);
        handler.apply(this, given);
      },
      ms,
      ...args,
    );
    timers.add(timer);
    return timer;
  };
  globalThis.setTimeout = Object.assign(watched, begin) as unknown as typeof setTimeout;
  globalThis.clearTimeout = (timer) => {
    timers.delete(timer);
    end(timer);
  };
}

function watchAbortListeners(): void {
  const { addEventListener: add, removeEventListener: remove } = AbortSignal.prototype;
  AbortSignal.prototype.addEventListener = function (
    this: AbortSignal,
    ...args: Parameters<typeof add>
  ) {
    const listeners = listenersOf.get(this) ?? new Set();
    if (listeners.size === 0 && !listenersOf.has(this)) signals.add(new WeakRef(this));
    listenersOf.set(this, listeners.add(args[1]));
    return add.apply(this, args);
  };
  AbortSignal.prototype.removeEventListener = function (
    this: AbortSignal,
    ...args: Parameters<typeof remove>
  ) {
    listenersOf.get(this)?.delete(args[1]);
    return remove.apply(this, args);
  };
}

function countAbortListeners(): number {
  let count = 0;
  for (const reference of signals) {
    const signal = reference.deref();
    if (signal === undefined) signals.delete(reference);
    else if (!signal.aborted) count += listenersOf.get(signal)?.size ?? 0;
  }
  return count;
}

function lookInside(isCollected: boolean): Inside {
  if (isCollected) gc?.();
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo?.() ?? []) {
    resources[kind] = (resources[kind] ?? 0) + 1;
  }
  return {
    rssMb: rss / MB,
    heapUsedMb: heapUsed / MB,
    heapTotalMb: heapTotal / MB,
    externalMb: external / MB,
    arrayBuffersMb: arrayBuffers / MB,
    isCollected: isCollected && gc !== undefined,
    timers: timers.size,
    abortListeners: countAbortListeners(),
    processListeners: process.eventNames().reduce(
      (sum, name) => sum + process.listenerCount(name),
      0,
    ),
    resources,
  };
}

/** A timer, a listener and 10 KB at each poll. */
function leakAtEachPoll(): void {
  const { signal } = new AbortController();
  const kept: unknown[] = [signal];
  const write = process.stdout.write.bind(process.stdout) as (...args: unknown[]) => boolean;
  process.stdout.write = (...args: unknown[]) => {
    for (const _ of String(args[0]).matchAll(/Poll done/g)) {
      kept.push(Array.from({ length: 1280 }, Math.random));
      setTimeout(() => {}, 3600_000).unref();
      signal.addEventListener("abort", () => {});
    }
    return write(...args);
  };
}

if (isMainThread && file !== undefined) {
  const collectEvery = Number(SOAK_COLLECT_EVERY);
  let lines = 0;
  // Begun before timers are watched, so that it is not one of them.
  setInterval(() => {
    const isCollected = collectEvery > 0 && ++lines % collectEvery === 0;
    appendFileSync(file, `${JSON.stringify(lookInside(isCollected))}\n`);
  }, Number(SOAK_EVERY_MS)).unref();
  watchTimers();
  watchAbortListeners();
  if (SOAK_LEAK === "yes") leakAtEachPoll();
}
