// SuperOffice's notifications, as they are posted: heeded when their JWT is SuperOffice's, and never trusted beyond that.
import type { IncomingMessage } from "node:http";
import type { Logger } from "@logtape/logtape";
import { JwtInvalidError } from "../../superoffice/errors.ts";
import { cutBetweenWords } from "../../superoffice/http.ts";
import type { KeySet } from "../../superoffice/keySet.ts";
import {
  type NotificationAudience,
  readNotification,
  type SentNotification,
  type TenantChange,
  validateNotification,
} from "../../superoffice/notification.ts";
import { sleep } from "../sleep.ts";
import type { Explanation, Telemetry } from "../wanted.ts";
import { createBucket } from "./bucket.ts";
import { createCarefulKeySet, TooManyWaitError } from "./carefulKeySet.ts";
import { readBody } from "./guardedServer.ts";
import type { Answer, Route } from "./server.ts";

/** What notifications are judged by, and where they are said. */
export interface NotificationSurroundings {
  audience: NotificationAudience;
  keySet: KeySet;
  now: () => Date;
  /** A clock in milliseconds that is never set back. */
  monotonicMs: () => number;
  /** Undefined where nobody collects any. */
  telemetry: Telemetry | undefined;
  explain: (error: unknown) => Explanation;
  log: Logger;
}

/** The path of the example in SuperOffice's documentation, in lower case. */
const PATH = "/NotifyCustomerStateChange";
const MOST_BYTES = 64 * 1024;
/** How many are looked at, each second and at once: an upgrade of all customers may bring thousands. */
const PER_SECOND = 100;
const AT_ONCE = 300;
/** How many of a type that is not known are said. */
const UNKNOWN_PER_SECOND = 1 / 60;
const UNKNOWN_AT_ONCE = 100;
/** Who posts has an answer within a second, though the login host's keys may take longer. */
const ANSWER_MS = 800;
const TELL_MS = 60_000;

const OK: Answer = { status: 200, text: "Thank you." };
const BUSY: Answer = {
  status: 429,
  text: "Too many at once: once more in a moment.",
  headers: { "Retry-After": "5" },
};

/**
 * Makes what answers notifications: 200 as soon as one is believed, before anything is done for it.
 *
 * @param heed is told what happened to whom; it must neither throw nor take long
 */
export function createNotifications(
  heed: (contextIdentifier: string, change: TenantChange) => void,
  { audience, keySet, now, monotonicMs, telemetry, explain, log }: NotificationSurroundings,
): Route {
  const mayLook = createBucket(PER_SECOND, AT_ONCE, monotonicMs);
  const maySayUnknown = createBucket(UNKNOWN_PER_SECOND, UNKNOWN_AT_ONCE, monotonicMs);
  const keys = createCarefulKeySet(keySet, monotonicMs);
  let isAudienceTold = false;
  const tellRefused = oncePer(TELL_MS, monotonicMs, (count, reason) => {
    log.warn(
      "{count} notification(s) were refused and nothing was done for them; the last one: {reason}. Anybody who reaches the port can " +
        "post such. Where they are SuperOffice's own, check this machine's clock and that the login host is the environment's.",
      { count, reason },
    );
  });
  const tellNoKeys = oncePer(TELL_MS, monotonicMs, (count, reason) => {
    log.warn(
      "{count} notification(s) could not be judged, since the login host's keys could not be read: {reason}. Nothing was done for " +
        "them; the tenants are called as before, and what has changed shows then.",
      { count, reason },
    );
  });

  function refuse(reason: string, status: 400 | 401): Answer {
    telemetry?.count("notifications.refused");
    tellRefused(cutBetweenWords(reason, 200));
    return {
      status,
      text: status === 401 ? "The token is not valid." : "This is no notification.",
    };
  }

  async function judge(notification: SentNotification): Promise<Answer> {
    try {
      const { isAudienceJudged } = await validateNotification(
        notification,
        audience,
        keys,
        now(),
      );
      if (!isAudienceJudged) tellAudience();
    } catch (error) {
      if (error instanceof JwtInvalidError) return refuse(error.message, 401);
      return noKeys(error instanceof TooManyWaitError ? error.message : explain(error).problem);
    }
    telemetry?.count("notifications.heeded");
    const { contextIdentifier, change } = notification;
    if (typeof change === "string") heed(contextIdentifier, change);
    else if (maySayUnknown()) {
      log.info(
        "{customer}: SuperOffice says that its state changes, in a way that is not known here ({change}): nothing was done.",
        { customer: contextIdentifier, change: change.unknown },
      );
    }
    return OK;
  }

  function noKeys(reason: string): Answer {
    tellNoKeys(reason);
    const headers = { "Retry-After": "30" };
    return { status: 503, text: "It cannot be judged just now: once more in a moment.", headers };
  }

  function tellAudience(): void {
    if (isAudienceTold) return;
    isAudienceTold = true;
    log.info(
      "The notifications' JWTs name an audience that is not judged, since the settings name no client id. Set " +
        "SUPEROFFICE_CLIENT_ID, so that none that was made for another application is heeded here.",
    );
  }

  return {
    path: PATH,
    methods: ["POST"],
    async answer(request: IncomingMessage) {
      if (!mayLook()) return BUSY;
      const body = await readBody(request, MOST_BYTES);
      if (body === undefined) return { status: 413, text: `No more than ${MOST_BYTES} bytes.` };
      const notification = readNotification(body);
      if (notification === undefined) return refuse("it is not the JSON of one", 400);
      const inTime = new AbortController();
      const late = sleep(ANSWER_MS, inTime.signal).then(() => OK);
      const answer = await Promise.race([judge(notification), late]);
      inTime.abort();
      return answer;
    },
  };
}

/** Gives what says something at once, and from then on no more than once in `ms`, with how often there was something to say. */
function oncePer(
  ms: number,
  monotonicMs: () => number,
  say: (count: number, reason: string) => void,
): (reason: string) => void {
  let count = 0;
  let saidAtMs = -Infinity;
  return (reason) => {
    count++;
    if (monotonicMs() - saidAtMs < ms) return;
    say(count, reason);
    count = 0;
    saidAtMs = monotonicMs();
  };
}
