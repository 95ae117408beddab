import { UsageError } from "./errors.ts";
import { type Target } from "./settings.ts";
import { namesNoTarget, type Variables } from "./variables.ts";

/** A demo that runs. */
export interface Demo {
  /** Where it is to be found. */
  target: Target;
  /** The public half of its key, PEM. */
  publicKey: string;
  close(): Promise<void>;
}

/**
 * Gives what starts the demo where it is asked for, or where nothing says what else to run against; else undefined.
 * Throws {@link UsageError} where there is to be none, and what it gives where it is not installed.
 */
export function findDemo(
  isAskedFor: boolean,
  variables: Variables,
): (() => Promise<Demo>) | undefined {
  const isProduction = variables["NODE_ENV"] === "production";
  if (isAskedFor && isProduction) throw new UsageError("There is no demo with NODE_ENV=production");
  if (!isAskedFor && (isProduction || !namesNoTarget(variables))) return undefined;
  return async () => {
    // Loaded for the demo alone: a vendor ships src/ without it.
    const { startDemo } = await import("../../fixtures/demo.ts").catch((cause) => {
      throw new UsageError(`The demo is not part of this installation: ${cause.message}`, {
        cause,
      });
    });
    return await startDemo();
  };
}
