import type { Logger } from "@logtape/logtape";
import { InvalidTimestampError } from "../superoffice/errors.ts";
import type { GetTicket, NewTicket } from "../superoffice/logOn.ts";
import type { Clock, ClockDifference } from "./clock.ts";

/**
 * Makes a ticket with the clock's time; where SuperOffice finds that wrong, once more with the time that it has itself.
 * Says so once for all customers who find it out at the same time.
 */
export function corrected(newTicket: NewTicket, clock: Clock, log: Logger): GetTicket {
  return async (tenant) => {
    const signedAt = clock.now();
    try {
      return await newTicket(tenant, signedAt);
    } catch (error) {
      const serverTime = error instanceof InvalidTimestampError ? error.serverTime : undefined;
      const found = serverTime && clock.correct(signedAt, serverTime);
      if (found === undefined) throw error;
      if (found.isNews) tellOf(found, log.with({ customer: tenant.contextIdentifier }));
      return await newTicket(tenant, clock.now());
    }
  };
}

function tellOf({ secondsAhead }: ClockDifference, log: Logger): void {
  const seconds = Math.abs(secondsAhead);
  if (seconds < 60) log.info("This machine's clock is right again.");
  else {
    log.warn(
      "This machine's clock is {seconds} s {direction} SuperOffice's. The console goes on with the corrected " +
        "time; set the clock (timedatectl set-ntp true) and keep it right.",
      { seconds, direction: secondsAhead > 0 ? "ahead of" : "behind" },
    );
  }
}
