// Patience, put around the plain flow in the one place where things are put together.
import type { Logger } from "@logtape/logtape";
import { tenantError } from "../superoffice/callTenant.ts";
import { createSteps } from "../superoffice/createSteps.ts";
import { EXCHANGE } from "../superoffice/exchange.ts";
import type { HttpAnswer, Send } from "../superoffice/http.ts";
import { createKeySet } from "../superoffice/keySet.ts";
import {
  type Call,
  type CallTenant,
  type LogOn,
  makeCall,
  makeLogOn,
  makeNewTicket,
  type SignToken,
} from "../superoffice/logOn.ts";
import type { Signer } from "../superoffice/signToken.ts";
import type { Application } from "../superoffice/tenant.ts";
import { type CallCounter, createCallCounter } from "./requests/callCounter.ts";
import type { Clock } from "./clock.ts";
import { corrected } from "./corrected.ts";
import { heldBack, type SharedTrouble } from "./heldBack.ts";
import { mended } from "./mended.ts";
import { paced, type SendWhenDue } from "./requests/pace.ts";
import { repeated } from "./requests/repeated.ts";
import type { TicketClaims } from "./share/ticketClaims.ts";
import type { Kept } from "./kept/ticketRow.ts";
import type { TicketStore } from "./kept/ticketStore.ts";
import type { Turns } from "./turns/turns.ts";
import type { Telemetry } from "./wanted.ts";
import { createWatch } from "./watched.ts";

/** How patient the flow is. */
export interface Patience {
  /** From one poll's start to the next, in milliseconds. */
  pollMs: number;
  /** How long one request may take with its repeats, in milliseconds. */
  requestTimeoutMs: number;
  /** Whether a log-on uses the ticket of the last one. */
  reuseTickets: boolean;
  /** How many calls a second go to one tenant at most. */
  callsPerSecond: number;
}

/** What a composition works with. */
export interface Means {
  sign: Signer;
  send: Send;
  clock: Clock;
  /** A clock in milliseconds that is never set back. */
  monotonicMs: () => number;
  log: Logger;
  /** Undefined where nobody collects any. */
  telemetry: Telemetry | undefined;
}

/** What is kept of tenants from one log-on to the next. */
export interface Keeping extends Kept {
  /** What outlives the process. */
  store: Pick<TicketStore, "noted">;
  /** Makes a ticket where no other console makes it. */
  claimed: TicketClaims["claimed"];
}

/** What a composition gives. */
export interface Composed {
  call: Call;
  logOn: LogOn;
  /** What all are refused for, once. */
  takeNews: () => SharedTrouble | undefined;
  /** How many calls were made. */
  calls: CallCounter;
}

/**
 * Makes the flow patient and kind; once, and not for each customer. Without any of its lines a healthy run comes to the same.
 *
 * @param giveUp ends what is under way
 * @param turns lets others have the turn of a customer that waits
 */
export function compose(
  application: Application,
  { pollMs, requestTimeoutMs, reuseTickets, callsPerSecond }: Patience,
  { sign, send, clock, monotonicMs, log, telemetry }: Means,
  { tickets, states, store, claimed }: Keeping,
  giveUp: AbortSignal,
  { wait, aside }: Pick<Turns, "wait" | "aside">,
): Composed {
  const watched = createWatch(log, telemetry?.span, monotonicMs);

  // A request is repeated; those to a tenant are counted, and keep to a pace.
  const calls = createCallCounter(telemetry);
  const patient = (send: SendWhenDue) =>
    repeated(send, requestTimeoutMs, giveUp, monotonicMs, wait);
  const patientSend = patient(counted(send, telemetry));
  const patientCall = patient(
    paced(calls.counted(send), callsPerSecond, giveUp, monotonicMs, aside),
  );
  const keySet = createKeySet(application.loginUrl, patientSend);
  const stepsAt = (now: () => Date, send = patientSend) =>
    createSteps(application, sign, send, now, keySet);
  const plain = stepsAt(clock.now);
  const plainCall = stepsAt(clock.now, patientCall).callTenant;

  // A step is watched, corrected, held back from customers while all are refused, kept.
  const held = { pollMs, monotonicMs, aside };
  const stateRead = watched("state read", plain.readTenantState);
  const heldState = heldBack(stateRead, held, giveUp, log);
  const readTenantState = heldState.witnessed(states.kept(heldState.step));
  const makeTicketAt = (now: () => Date) => {
    const { signToken, exchange } = stepsAt(now);
    return makeNewTicket(
      watched("token signed", unlessStopped(signToken, giveUp)),
      watched("token exchanged for a ticket", exchange),
    );
  };
  const heldTicket = heldBack(corrected(makeTicketAt, clock, log), held, giveUp, log);
  const getTicket = heldTicket.witnessed(tickets.kept(claimed(heldTicket.step)));
  const watchedCall: CallTenant = watched(
    (_tenant, _access, { purpose = "tenant called" }) => purpose,
    plainCall,
    failureOf,
  );
  const callTenant = states.forgottenWhenUnreachable(store.noted(watchedCall));

  // The whole is mended.
  const call = mended(tickets.renewedByUse(makeCall(readTenantState, getTicket, callTenant)), {
    401: tickets.drop,
    421: states.drop,
  });
  const logOn = spanned(makeLogOn(call), telemetry);
  return {
    call,
    logOn: reuseTickets ? logOn : tickets.forgottenBefore(logOn),
    takeNews: () => heldState.takeNews() ?? heldTicket.takeNews(),
    calls,
  };
}

/** Puts a span around a customer's log-on. */
function spanned(logOn: LogOn, telemetry: Telemetry | undefined): LogOn {
  if (telemetry === undefined) return logOn;
  return (tenant) => {
    const attributes = { "superoffice.customer": tenant.contextIdentifier };
    return telemetry.span("customer", attributes, () => logOn(tenant));
  };
}

/** Counts the exchanges that are sent, repeats included. */
function counted(send: Send, telemetry: Telemetry | undefined): Send {
  if (telemetry === undefined) return send;
  return (request) => {
    if (request.purpose === EXCHANGE) telemetry.count("exchanges");
    return send(request);
  };
}

/** Signing asks nobody, so that it would not notice a stop by itself. */
function unlessStopped(signToken: SignToken, giveUp: AbortSignal): SignToken {
  return async (tenant, now) => {
    giveUp.throwIfAborted();
    return await signToken(tenant, now);
  };
}

/** A redirect is one, too: it is not followed. */
function failureOf(answer: HttpAnswer): { code: string } | undefined {
  const { status } = answer;
  return status < 300 || status === 304 ? undefined : tenantError(answer);
}
