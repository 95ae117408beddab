// Takes what came back to a request for approval, or refuses it before anything is asked of SuperOffice.
import { StateRefusedError } from "./errors.ts";
import type { Answer, Pending, Pendings } from "./pending.ts";
import { randomId } from "./randomId.ts";

/** Why an answer is refused. */
const REFUSALS = {
  missing:
    "An answer came without the state that belongs to a request for approval, so nothing was done",
  unknown:
    "An answer came to a request for approval that is not open here (it is too old, or was made elsewhere), so nothing was done",
  replayed:
    "An answer came for the second time to the same request for approval: it was left out, and what came of the first counts",
  browser:
    "An answer came from another browser than the one that asked for approval, so nothing was done",
} as const;

export type Refusal = keyof typeof REFUSALS;

/** Whether it is the name of one. */
export function isRefusal(name: string): name is Refusal {
  return Object.hasOwn(REFUSALS, name);
}

/** The error for what is refused. */
export function refusal(which: Refusal): StateRefusedError {
  return new StateRefusedError(REFUSALS[which]);
}

/** All that is looked at in an answer; whoever opens the address may send anything beside it. */
const LOOKED_AT = [
  "code",
  "error",
  "error_description",
  "id_token",
  "iss",
  "response",
  "state",
  "token",
];

/** A request for approval with the answer that was taken for it. */
export type Taken = Pending & { answer: Answer };

/**
 * Takes what came back for a request for approval: gives that request, or why there is none. The last answer counts until one is
 * dealt with, and none from then on.
 */
export function take(answer: URLSearchParams, pendings: Pendings): Taken | Refusal {
  const [state, ...others] = answer.getAll("state");
  if (state === undefined || state === "" || others.length > 0) return "missing";
  const pending = pendings.ofState(state);
  if (pending === undefined) return "unknown";
  if (pending.page !== undefined) return "replayed";
  // Of what is there twice, two show that it is.
  const values = new URLSearchParams(
    LOOKED_AT.flatMap((name) => answer.getAll(name).slice(0, 2).map((value) => [name, value])),
  );
  pendings.put(pending, { values, id: randomId() });
  return pending as Taken;
}
