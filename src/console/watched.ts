import type { Logger } from "@logtape/logtape";
import type { Span } from "./wanted.ts";

/** Watches a step, whose first argument is the tenant; see {@link createWatch}. */
export type Watch = <Args extends [tenant: { contextIdentifier: string }, ...more: unknown[]], T>(
  name: string | ((...args: Args) => string),
  step: (...args: Args) => Promise<T>,
  failureOf?: (result: T) => { code: string } | undefined,
) => (...args: Args) => Promise<T>;

/**
 * Watches steps: puts a span around each, and says at debug level how long it took. `failureOf` finds the failure in what a
 * step gave without throwing. Where nobody listens the step itself is given, so that the hot path pays nothing.
 *
 * @param span undefined where nobody collects spans
 * @param monotonicMs a clock in milliseconds that is never set back
 */
export function createWatch(
  log: Logger,
  span: Span | undefined,
  monotonicMs: () => number,
): Watch {
  if (span === undefined && !log.isEnabledFor("debug")) return (_name, step) => step;
  return (name, step, failureOf) => async (...args) => {
    const [{ contextIdentifier: customer }] = args;
    const stepName = typeof name === "string" ? name : name(...args);
    const startedAt = monotonicMs();
    const work = () => step(...args);
    const result =
      await (span === undefined
        ? work()
        : span(stepName, { "superoffice.customer": customer }, work, failureOf));
    const ms = Math.round((monotonicMs() - startedAt) * 10) / 10;
    const failure = failureOf?.(result);
    log.debug(`{customer}: {step} in {ms} ms${failure === undefined ? "" : " [{code}]"}`, {
      customer,
      step: stepName,
      ms,
      ...(failure === undefined ? {} : { code: failure.code }),
    });
    return result;
  };
}
