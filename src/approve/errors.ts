import { ExplainedError } from "../superoffice/errors.ts";

/** An answer came that belongs to no approval that was asked for here and is still open, so that nothing was done with it. */
export class StateRefusedError extends ExplainedError {
  static override readonly code = "STATE_REFUSED";
  static override readonly remedy =
    "After a second tab, or a page that was loaded once more, nothing needs to be done. Else open the address that was printed " +
    "once more, and go on in the same browser.";
}

/** Nobody approved in time. */
export class NobodyCameError extends ExplainedError {
  static override readonly code = "NOBODY_CAME";
  static override readonly remedy =
    "If SuperOffice's page said that the client id or the redirect URL is wrong, compare them with what the developer portal says " +
    "for this environment, letter by letter. Then start again, with more time; where the browser ends at an address that does not open, paste that address " +
    "into the terminal while this waits.";
}

/** The address where the answer comes cannot be listened on. */
export class CannotListenError extends ExplainedError {
  static override readonly code = "CANNOT_LISTEN";
  static override readonly remedy =
    "End what listens there (an earlier one of these, perhaps), or take another port.";
}

/** The customer that approved is in the table already. */
export class CustomerExistsError extends ExplainedError {
  static override readonly code = "CUSTOMER_EXISTS";
  static override readonly remedy =
    "Nothing was changed. To store the token that comes with a new approval, start the same command with --replace added.";
}
