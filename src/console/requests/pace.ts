import type { HttpAnswer, HttpRequest, Send } from "../../superoffice/http.ts";
import type { Turns } from "../turns/turns.ts";

/** Sends a request, and tells how many milliseconds it waited before that, which is not the request's own time. */
export type SendWhenDue = (
  request: HttpRequest,
  tellWaited: (ms: number) => void,
) => Promise<HttpAnswer>;

/** A tenant's requests, as far as the next one has to heed them. */
interface Lane {
  /** How many are under way. */
  underWay: number;
  /** When those of the last second were answered. */
  answeredMs: number[];
  /** Those that wait; each is told whether it may leave now, or is not wanted any more. */
  line: ((mayLeave: boolean) => void)[];
  timer?: ReturnType<typeof setTimeout> | undefined;
}

const SECOND_MS = 1000;

/**
 * Sends no more than so many requests a second to each tenant. A request counts from when it leaves until a second after its
 * answer: however long each is on its way, the tenant sees no more of them in any second. Those that have to wait do so in line,
 * aside, until their own signal ends that, or `stop`. Requests that are for no tenant are sent at once.
 *
 * @param monotonicMs a clock in milliseconds that is never set back
 * @param aside lets others have the turn of a tenant that waits
 *
 * @see "Checklist", https://docs.superoffice.com/en/developer-portal/custom-app/checklist.html
 */
export function paced(
  send: Send,
  perSecond: number,
  stop: AbortSignal,
  monotonicMs: () => number,
  aside: Turns["aside"],
): SendWhenDue {
  const lanes = new Map<string, Lane>();
  let sweptMs = monotonicMs();

  stop.addEventListener("abort", () => {
    for (const { line } of lanes.values()) for (const tell of [...line]) tell(false);
  });

  function laneOf(contextIdentifier: string): Lane {
    const known = lanes.get(contextIdentifier);
    if (known !== undefined) return known;
    sweep();
    const lane: Lane = { underWay: 0, answeredMs: [], line: [] };
    lanes.set(contextIdentifier, lane);
    return lane;
  }

  /** Forgets the tenants that nothing is to be heeded of, once a second. */
  function sweep(): void {
    const now = monotonicMs();
    if (now - sweptMs < SECOND_MS) return;
    sweptMs = now;
    for (const [contextIdentifier, { underWay, answeredMs, line }] of lanes) {
      const isIdle = underWay === 0 && line.length === 0;
      if (isIdle && now - (answeredMs.at(-1) ?? 0) >= SECOND_MS) lanes.delete(contextIdentifier);
    }
  }

  function hasRoom(lane: Lane): boolean {
    const { answeredMs, underWay } = lane;
    if (underWay + answeredMs.length < perSecond) return true;
    const now = monotonicMs();
    while (answeredMs.length > 0 && now - answeredMs[0]! >= SECOND_MS) answeredMs.shift();
    return underWay + answeredMs.length < perSecond;
  }

  /** Lets those leave whose turn has come, and looks again when the next one's has. */
  function letLeave(lane: Lane): void {
    clearTimeout(lane.timer);
    lane.timer = undefined;
    while (lane.line.length > 0 && hasRoom(lane)) lane.line[0]!(true);
    const [firstMs] = lane.answeredMs;
    // Without one it is an answer that the next one waits for.
    if (lane.line.length === 0 || firstMs === undefined) return;
    lane.timer = setTimeout(letLeave, firstMs + SECOND_MS - monotonicMs(), lane);
  }

  async function waitInLine(lane: Lane, { contextIdentifier, signal }: HttpRequest): Promise<void> {
    signal?.throwIfAborted();
    const told = new Promise<boolean>((resolve) => {
      function tell(mayLeave: boolean): void {
        lane.line.splice(lane.line.indexOf(tell), 1);
        if (mayLeave) lane.underWay++;
        signal?.removeEventListener("abort", leaveLine);
        resolve(mayLeave);
      }
      function leaveLine(): void {
        tell(false);
        letLeave(lane);
      }
      signal?.addEventListener("abort", leaveLine);
      lane.line.push(tell);
    });
    letLeave(lane);
    if (await aside(contextIdentifier, told, stop)) return;
    stop.throwIfAborted();
    signal?.throwIfAborted();
  }

  return async (request, tellWaited) => {
    if (request.contextIdentifier === undefined) return await send(request);
    const lane = laneOf(request.contextIdentifier);
    if (lane.line.length === 0 && hasRoom(lane)) lane.underWay++;
    else {
      const sinceMs = monotonicMs();
      await waitInLine(lane, request);
      tellWaited(monotonicMs() - sinceMs);
    }
    try {
      return await send(request);
    } finally {
      lane.underWay--;
      lane.answeredMs.push(monotonicMs());
      if (lane.line.length > 0) letLeave(lane);
    }
  };
}
