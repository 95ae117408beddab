import { type CertificateFault, ExplainedError, NetworkError } from "../superoffice/errors.ts";

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
  static override readonly remedy =
    "Nothing needs to be done: the customer is taken again after the next start.";
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

  constructor(cause: unknown, wasTried: boolean) {
    const { message } = cause as Error;
    super(`${message}, as for several customers in a row`, { cause });
    this.cause = cause;
    this.wasTried = wasTried;
  }
}

/** Nothing can listen at an address that the settings name. */
export class ListenError extends ExplainedError {
  static override readonly code = "LISTEN_FAILED";
  static override readonly remedy =
    "End what listens there, or name another port, or an address that is this machine's own.";
}

const ASK_ITS_KEEPER = "ask whoever runs the proxy";

/** What to do about a proxy's answer, by its status. */
const PROXY_REMEDIES: Record<number, string> = {
  407: "It wants a user and a password, or does not take these: they stand in its address, " +
    "http://user:password@host:port, with the signs @ : / # ? % written %40 %3A %2F %23 %3F %25.",
  403:
    `It may not go there for this machine: ${ASK_ITS_KEEPER} to allow connections (CONNECT) to ` +
    "superoffice.com and every host below it, port 443.",
};

/** What is known of a proxy's trouble: the status that it answered with, or why there was no answer. */
interface ProxyTrouble {
  status?: number;
  cause?: Error;
  certificateFault?: CertificateFault | undefined;
}

/** The proxy in between gave no connection, so that the host behind it was not asked. */
export class ProxyError extends NetworkError {
  static override readonly code = "PROXY_FAILED";
  static override readonly remedy =
    "Check the proxy's address, that it runs, and that a firewall lets this machine reach it.";
  /** Whether it said no, so that asking again brings nothing. */
  readonly isRefusal: boolean;

  constructor(message: string, { status, cause, certificateFault }: ProxyTrouble = {}) {
    super(message, { cause }, certificateFault);
    this.isRefusal = status !== undefined && status < 500;
    if (status !== undefined) {
      this.remedy = PROXY_REMEDIES[status] ??
        `The proxy did not get there, or is in trouble itself: ${ASK_ITS_KEEPER}.`;
    }
  }
}
