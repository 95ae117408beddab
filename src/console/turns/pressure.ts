import { NetworkError, RequestTimeoutError } from "../../superoffice/errors.ts";
import type { HttpAnswer, HttpRequest, Send } from "../../superoffice/http.ts";

/**
 * What says that less should be asked at once: the host itself (`busy`, status 429 and 503, and this machine where it can open
 * no more connections), or that it gives no answer in time (`silent`).
 */
export type Pressure = "busy" | "silent";

/** The fewest tenants that are several, and which part of all at once has to be in trouble. */
const SEVERAL = 3;
const PART = 1 / 16;
/** Several are a noticeable share among so many requests for each of them: 2 %. */
const REQUESTS_FOR_EACH = 50;
/** For so many requests nothing more is heeded of a tenant that was heeded: it may be in trouble every now and then. */
const HEEDED_REQUESTS = 20_000;
/** Of how many it is remembered at most that they are in trouble. */
const MOST_REMEMBERED = 10_000;

/**
 * Watches requests for trouble that several tenants share. Each counts once, until it gets an answer again: a tenant that is
 * gone for good, or busy again and again, says little of how much may be asked of the others.
 *
 * @param atOnce how many tenants are worked on at once
 * @param onPressure is told each time that several different tenants have met trouble shortly one after the other; gives whether
 *   it heeded that
 */
export function createPressure(
  atOnce: () => number,
  onPressure: (pressure: Pressure) => boolean,
): { heeding(send: Send): Send } {
  let requests = 0;
  /** Who is in trouble, and at which host. */
  const inTrouble = new Set<string>();
  /** Who was heeded, and with the how manieth request. */
  const heeded = new Map<string, number>();
  /** Who got into trouble last, and with the how manieth request. */
  let last: { tenant: string; request: number }[] = [];

  function noteTrouble(tenant: string, host: string, pressure: Pressure): void {
    const key = keyOf(tenant, host);
    const heededAt = heeded.get(tenant) ?? -Infinity;
    if (inTrouble.has(key) || requests - heededAt < HEEDED_REQUESTS) return;
    if (inTrouble.size >= MOST_REMEMBERED) inTrouble.clear();
    inTrouble.add(key);
    const several = Math.max(SEVERAL, Math.ceil(atOnce() * PART));
    last = last.filter((other) =>
      other.tenant !== tenant && requests - other.request < several * REQUESTS_FOR_EACH
    );
    last.push({ tenant, request: requests });
    if (last.length < several) return;
    if (heeded.size >= MOST_REMEMBERED) heeded.clear();
    const met = last;
    last = [];
    if (!onPressure(pressure)) return;
    for (const other of met) heeded.set(other.tenant, requests);
  }

  function noteAnswer({ contextIdentifier = "" }: HttpRequest, { host, status }: HttpAnswer): void {
    if (status === 429 || status === 503) noteTrouble(contextIdentifier, host, "busy");
    else if (inTrouble.size > 0) inTrouble.delete(keyOf(contextIdentifier, host));
  }

  function noteError({ contextIdentifier = "", url }: HttpRequest, error: unknown): void {
    const pressure = pressureOf(error);
    if (pressure !== undefined) noteTrouble(contextIdentifier, new URL(url).host, pressure);
  }

  return {
    heeding: (send) => (request) => {
      requests++;
      return send(request).then(
        (answer) => {
          noteAnswer(request, answer);
          return answer;
        },
        (error) => {
          noteError(request, error);
          throw error;
        },
      );
    },
  };
}

function pressureOf(error: unknown): Pressure | undefined {
  if (error instanceof RequestTimeoutError) return "silent";
  const isOutOfDescriptors = error instanceof NetworkError &&
    /EMFILE|too many open files/i.test(error.message);
  return isOutOfDescriptors ? "busy" : undefined;
}

function keyOf(tenant: string, host: string): string {
  return `${tenant} ${host}`;
}
