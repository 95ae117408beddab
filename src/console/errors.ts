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

/** The console was told to stop before this customer was done. */
export class StoppedError extends ExplainedError {
  static override readonly code = "STOPPED";
  static override readonly remedy = "Nothing: the customer is taken again after the next start.";
}

/** A customer was refused as all are, or not tried for that: it is the application, or its settings. */
export class SharedTroubleError extends ExplainedError {
  static override readonly code = "ALL_REFUSED";
  static override readonly remedy =
    "It is tried again by itself, as soon as somebody gets through.";
  /** What was refused. */
  override readonly cause: unknown;
  /** Whether this customer was tried. */
  readonly wasTried: boolean;
  /** Where that is news: for how long nobody has got through. */
  readonly newsForMs: number | undefined;

  constructor(cause: unknown, wasTried: boolean, newsForMs: number | undefined) {
    const { message } = cause as Error;
    super(`${message}, as for several customers in a row`, { cause });
    this.cause = cause;
    this.wasTried = wasTried;
    this.newsForMs = newsForMs;
  }
}
