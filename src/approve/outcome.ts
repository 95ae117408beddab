// What is said of an outcome: on the terminal, and in the browser.
import type { Explanation } from "../console/wanted.ts";
import { CustomerExistsError } from "./errors.ts";
import type { Page } from "./page.ts";
import type { Outcome } from "./settle.ts";

/** The line for a customer that is stored, before it is logged on to. */
export function storedLine(outcome: Outcome): string {
  const what = outcome.stored === "added" ? "Added" : "Stored the new token of";
  return `${what} ${whoOf(outcome)}; the console logs on to it at its next poll.`;
}

/**
 * The last line: whether the customer was logged on to.
 *
 * @param explain says what happened and what to do; secrets may still be in it
 * @param again what to do for another try, where nothing was stored
 */
export function lastLine(
  { approved, stored, mayBeStored, associate, failure }: Outcome,
  explain: (error: unknown) => Explanation,
  again: string,
): string {
  const context = approved?.contextIdentifier ?? "";
  if (failure === undefined) return `Logged on to context ${context} as ${associate}`;
  const { problem, remedy, code } = explain(failure);
  const what = mayBeStored
    ? `Whether ${context} was stored is not known (the command list shows it)`
    : "Nothing was stored";
  const next = tellsWhatNext(failure) ? remedy : `${remedy} ${again}`;
  return stored === undefined
    ? `${what}: ${problem}. ${next} [${code}]`
    : `${context} is stored, and could not be logged on to yet: ${problem}. ${remedy} [${code}]`;
}

/** What a customer's administrator may see the reason of; anything else is the vendor's own affair. */
const FOR_VISITORS = [
  "APPROVAL_REFUSED",
  "CODE_REFUSED",
  "SYSTEM_TOKEN_MISSING",
  "CUSTOMER_EXISTS",
  "WRONG_TENANT",
  "TENANT_NOT_RUNNING",
];

/**
 * What the browser shows.
 *
 * @param explain says what happened and what to do, without secrets
 * @param isOwn whether who looks is who started this, and not a customer's administrator somewhere
 * @param again what to do for another try, where nothing was stored
 */
export function pageOf(
  outcome: Outcome,
  explain: (error: unknown) => Explanation,
  isOwn: boolean,
  again: string,
): Page {
  const { approved, stored, mayBeStored, associate, failure } = outcome;
  const context = approved?.contextIdentifier ?? "";
  const approvedBy = `${
    whoOf(outcome)
  } approved the application, and its system user token is stored.`;
  const next = isOwn
    ? "Go on in the terminal; this window can be closed."
    : "You can close this window.";
  if (failure === undefined) {
    return {
      mood: "well",
      title: `${context} is connected`,
      paragraphs: [
        `${approvedBy} A first log-on worked, as ${associate}.`,
        `Nothing else needs to be done: the service works for ${context} from its next poll on. ${next}`,
      ],
    };
  }
  const { problem, remedy, code } = explain(failure);
  const reason = isOwn
    ? [
      `${problem}. [${code}]`,
      remedy,
      ...(stored === undefined && !tellsWhatNext(failure) ? [again] : []),
    ]
    : FOR_VISITORS.includes(code)
    ? [`${problem}.`, "Whoever gave you the address knows what to do next."]
    : ["It did not work for a reason that whoever gave you the address sees, and has to mend."];
  if (stored === undefined) {
    const title = mayBeStored ? `Whether ${context} was stored is not known` : "Nothing was stored";
    return { mood: "ill", title, paragraphs: reason };
  }
  return {
    mood: "plain",
    title: `${context} is stored, and not logged on to yet`,
    paragraphs: [approvedBy, ...reason, `The service tries again by itself. ${next}`],
  };
}

/** Another try would end as this one did. */
function tellsWhatNext(failure: unknown): boolean {
  return failure instanceof CustomerExistsError;
}

function whoOf({ approved }: Outcome): string {
  const { contextIdentifier = "", companyName } = approved ?? {};
  return companyName === undefined ? contextIdentifier : `${contextIdentifier} (${companyName})`;
}
