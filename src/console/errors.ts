import { ExplainedError } from "../superoffice/errors.ts";

/** The customer's row holds no system user token. */
export class TokenMissingError extends ExplainedError {
  static override readonly code = "TOKEN_MISSING";
  static override readonly remedy = "Store the token that came with the customer's approval.";
}

/** The vendor's own work script failed for a customer. */
export class WorkError extends ExplainedError {
  static override readonly code = "WORK_FAILED";
  static override readonly remedy = "Mend the work script; the other customers' work goes on.";
}

/** The vendor's own work script keeps the event loop, and so everything, from going on. */
export class WorkBlocksError extends ExplainedError {
  static override readonly code = "WORK_BLOCKS";
  static override readonly remedy =
    "Have it await something in its loops, or do its sums in a thread; Ctrl-C, where need be twice, ends the program meanwhile.";
}

/** The console was told to stop before this customer was done. */
export class StoppedError extends ExplainedError {
  static override readonly code = "STOPPED";
  static override readonly remedy = "Nothing: the customer is taken again after the next start.";
}
