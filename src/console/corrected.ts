import type { Logger } from "@logtape/logtape";
import { InvalidTimestampError, JwtInvalidError } from "../superoffice/errors.ts";
import type { GetTicket, NewTicket } from "../superoffice/logOn.ts";
import type { Clock, Suspicion } from "./clock.ts";

/**
 * Makes a ticket with the clock's time; where SuperOffice finds that wrong, once more with the time that its answer bears. The
 * clock is corrected for all when a ticket came of that, which is said once; a single answer's wrong time harms nobody else.
 *
 * @param makeNewTicket makes tickets whose JWT is judged by the time of day that it is given
 */
export function corrected(
  makeNewTicket: (now: () => Date) => NewTicket,
  clock: Clock,
  log: Logger,
): GetTicket {
  const newTicket = makeNewTicket(clock.now);
  return async (tenant) => {
    const signedAt = clock.now();
    try {
      return await newTicket(tenant, signedAt);
    } catch (error) {
      // A correction that was right before can be wrong by now.
      if (error instanceof JwtInvalidError && error.isForItsTime) clock.forget();
      const suspicion = suspicionOf(error, signedAt, clock);
      if (suspicion === undefined) throw error;
      const ticket = await makeNewTicket(suspicion.now)(tenant, suspicion.now());
      if (clock.adopt(suspicion)) {
        tellOf(suspicion, log.with({ customer: tenant.contextIdentifier }));
      }
      return ticket;
    }
  };
}

function suspicionOf(error: unknown, signedAt: Date, clock: Clock): Suspicion | undefined {
  const serverTime = error instanceof InvalidTimestampError ? error.serverTime : undefined;
  return serverTime && clock.suspect(signedAt, serverTime);
}

function tellOf({ aheadMs }: Suspicion, log: Logger): void {
  const seconds = Math.abs(Math.round(aheadMs / 1000));
  if (seconds < 60) log.info("This machine's clock is right again.");
  else {
    log.warn(
      "This machine's clock is {seconds} s {direction} SuperOffice's. The console goes on with the corrected " +
        "time; set the clock (timedatectl set-ntp true) and keep it right.",
      { seconds, direction: aheadMs > 0 ? "ahead of" : "behind" },
    );
  }
}
