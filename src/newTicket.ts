import type { Logger } from "@logtape/logtape";
import type { ClockDifference } from "./clock.ts";
import { InvalidTimestampError, SigningError } from "./errors.ts";
import { exchange } from "./exchange.ts";
import { signToken } from "./signToken.ts";
import { type LogOn, takeStep } from "./step.ts";

/**
 * Signs the customer's system user token and exchanges it for a ticket; where SuperOffice finds the time wrong, once
 * more with the time that it has itself. Throws {@link SigningError} and what {@link exchange} throws.
 */
export async function newTicket(logOn: LogOn): Promise<string> {
  const { clock } = logOn.tools;
  const signedAt = clock.now();
  try {
    return await signAndExchange(logOn, signedAt);
  } catch (error) {
    const serverTime = error instanceof InvalidTimestampError ? error.serverTime : undefined;
    const found = serverTime && clock.correct(signedAt, serverTime);
    if (found === undefined) throw error;
    if (found.isNews) tellOfClock(found, logOn.log);
    return await signAndExchange(logOn, clock.now());
  }
}

async function signAndExchange(logOn: LogOn, signedAt: Date): Promise<string> {
  const { contextIdentifier, systemUserToken } = logOn.customer;
  const { application, sign, keySet, clock, telemetry } = logOn.tools;
  const signedSystemToken = await takeStep(
    logOn,
    "token signed",
    () =>
      signToken(systemUserToken, sign, signedAt).catch((cause) => {
        throw new SigningError(`The system user token could not be signed: ${cause.message}`, {
          cause,
        });
      }),
  );
  return await takeStep(logOn, "token exchanged for a ticket", (http) => {
    telemetry.count("exchanges");
    return exchange(contextIdentifier, signedSystemToken, application, keySet, clock.now, http);
  });
}

function tellOfClock({ secondsAhead }: ClockDifference, log: Logger): void {
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
