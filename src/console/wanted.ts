// What the console wants to have filled from above.

/** Runs `work` inside a span of a trace that bears the error's code when it fails; `failureOf` finds one in what it gives. */
export type Span = <T>(
  name: string,
  attributes: Record<string, string>,
  work: () => Promise<T>,
  failureOf?: (result: T) => unknown,
) => Promise<T>;

/** What is counted. */
export type Counter =
  | "customers.logged_on"
  | "customers.work_failed"
  | "customers.failed"
  | "customers.given_up"
  | "customers.skipped"
  | "customers.held_back"
  | "exchanges"
  | "calls"
  | "notifications.heeded"
  | "notifications.refused";

/** Where traces and metrics go. */
export interface Telemetry {
  span: Span;
  count(counter: Counter): void;
}

/** What may not be printed or stored while its customer is in hand. */
export interface Secrets {
  add(secret: string): unknown;
  delete(secret: string): unknown;
}

/** What is said of an error, without secrets. */
export interface Explanation {
  problem: string;
  remedy: string;
  code: string;
}

/** Shows a person how far a poll is. */
export interface Progress {
  begin(): void;
  tell(done: number, elapsedMs: number): void;
  end(): void;
}
