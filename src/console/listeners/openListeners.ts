// Where the console can be reached, and by whom: SuperOffice, who supervises it, and the other consoles at the same database.
import type { Logger } from "@logtape/logtape";
import { listenToConsoles } from "../../database/tenantChanges.ts";
import type { Send } from "../../superoffice/http.ts";
import { createKeySet } from "../../superoffice/keySet.ts";
import type { NotificationAudience } from "../../superoffice/notification.ts";
import type { Kept } from "../kept/ticketRow.ts";
import type { Memory } from "../memory.ts";
import type { StartedPoll } from "../poll.ts";
import { sleep } from "../sleep.ts";
import type { Explanation, Telemetry } from "../wanted.ts";
import type { OpenServer } from "./guardedServer.ts";
import { createHealth } from "./health.ts";
import { createNotifications } from "./notifications.ts";
import { createOtherConsoles, type Stored } from "./otherConsoles.ts";
import { createResumed } from "./resumed.ts";
import { type Address, openServer, type Route, shown } from "./server.ts";
import { createTenantChanges } from "./tenantChanges.ts";

/** Where it listens, and how long things take. */
export interface ListenersSettings {
  /** For SuperOffice's notifications; undefined where none are taken. */
  notificationsAt: Address | undefined;
  /** For who supervises the console; undefined where nobody does. */
  healthAt: Address | undefined;
  pollMs: number;
  requestTimeoutMs: number;
  workTimeoutMs: number;
}

/** What is believed, and by what. */
export interface ListenersTarget extends NotificationAudience {
  databaseUrl: string;
}

/** What listeners look for around them. */
export interface ListenersSurroundings {
  now: () => Date;
  /** Undefined where nobody collects any. */
  telemetry: Telemetry | undefined;
  explain: (error: unknown) => Explanation;
  log: Logger;
  /** Ends the listening. */
  stop: AbortSignal;
}

/** What listens. */
export interface Listeners {
  /** Heeds who is back, and notes that customers are worked on. */
  heeding(memory: Memory): Memory;
  /** Notes when a poll begins, and how it ends. */
  watched(startPoll: () => Promise<StartedPoll>): () => Promise<StartedPoll>;
  /** Ends what is left. */
  close(): Promise<void>;
}

/** How long the end waits for what is under way. */
const LAST_WORDS_MS = 1000;

/**
 * Begins to listen. Throws `ListenError`.
 *
 * @param send is used for the login host's keys alone
 */
export async function openListeners(
  { notificationsAt, healthAt, pollMs, requestTimeoutMs, workTimeoutMs }: ListenersSettings,
  target: ListenersTarget,
  kept: Kept,
  stored: Stored,
  send: Send,
  { now, telemetry, explain, log, stop }: ListenersSurroundings,
): Promise<Listeners> {
  const monotonicMs = () => performance.now();
  const resumed = createResumed();
  const health = createHealth(pollMs, requestTimeoutMs + workTimeoutMs, monotonicMs);
  const others = createOtherConsoles(stored, stop, { explain, log });
  const changes = createTenantChanges(
    { ...kept, store: stored.store },
    resumed.areBack,
    others.tell,
    monotonicMs,
    log,
  );
  // Its own, so that nothing that is posted has to do with the keys of exchanges.
  const keySet = createKeySet(target.loginUrl, send);
  // Whoever posts first is not to wait for them; what this fails with shows then.
  if (notificationsAt !== undefined) void keySet.get().catch(() => {});
  const notifications = createNotifications(
    (contextIdentifier, change) => changes.heed({ contextIdentifier, change }, true),
    {
      audience: target,
      keySet,
      now,
      monotonicMs,
      telemetry,
      explain,
      log,
    },
  );

  const routes = new Map<string, { address: Address; routes: Route[] }>();
  function serve(address: Address | undefined, more: Route[]): void {
    if (address === undefined) return;
    const at = shown(address).toLowerCase();
    routes.set(at, { address, routes: [...routes.get(at)?.routes ?? [], ...more] });
  }
  serve(notificationsAt, [notifications]);
  serve(healthAt, health.routes);
  const servers: OpenServer[] = [];
  for (const { address, routes: own } of routes.values()) {
    servers.push(await openServer(address, own));
    log.info("Listening at http://{address}: {paths}.", {
      address: shown(address),
      paths: own.map(({ path }) => path).join(", "),
    });
  }
  const closeServers = () => Promise.all(servers.map(({ close }) => close()));
  let closing: Promise<unknown> | undefined;
  stop.addEventListener("abort", () => closing ??= closeServers());

  // What has room for one connection alone has none for one that only listens: the demo's Postgres.
  const ending = new AbortController();
  const isAlone = notificationsAt === undefined && !stored.isShared;
  const hearing = isAlone || stored.database.options.max === 1 ? undefined : listenToConsoles(
    target.databaseUrl,
    (text) => {
      const change = others.understand(text);
      if (change !== undefined) changes.heed(change, false);
    },
    (error) =>
      log.debug(
        "Changes that other consoles tell are not heard for now: {problem}. {remedy} [{code}]",
        {
          ...explain(error),
        },
      ),
    ending.signal,
  );

  return {
    heeding: (memory) => health.watching(resumed.heeding(memory)),
    watched: health.watched,
    async close() {
      changes.close();
      ending.abort();
      // A database that does not answer must not keep the console from stopping.
      const closed = Promise.all([closing ??= closeServers(), others.end(), hearing]);
      await Promise.race([closed, sleep(LAST_WORDS_MS)]);
    },
  };
}
