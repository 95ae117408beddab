import { UsageError } from "./errors.ts";
import { type Target } from "./settings.ts";
import { namesNoTarget, type Variables } from "./variables.ts";

/** A demo that runs. */
export interface Demo {
  /** Where it is to be found. */
  target: Target;
  /** The public half of its key, PEM. */
  publicKey: string;
  /** The id of its application. */
  clientId: string;
  /** Whether another program runs it. */
  isJoined: boolean;
  /** Where a browser sees what its SuperOffice holds, and changes it. */
  pageUrl: string;
  close(): Promise<void>;
}

/** How a demo is shared between programs: one opens it to others, or joins the one that is open, where there is one. */
export type Sharing = "opens" | "joins";

/**
 * Gives what starts the demo where it is asked for, or where nothing says what else to run against; else undefined.
 * Throws {@link UsageError} where there is to be none, and what it gives where it is not installed.
 */
export function findDemo(
  isAskedFor: boolean,
  variables: Variables,
): ((sharing?: Sharing) => Promise<Demo>) | undefined {
  const isProduction = variables["NODE_ENV"] === "production";
  if (isAskedFor && isProduction) throw new UsageError("There is no demo with NODE_ENV=production");
  if (!isAskedFor && (isProduction || !namesNoTarget(variables))) return undefined;
  return async (sharing) => {
    // Loaded for the demo alone: a vendor ships src/ without it.
    const { joinDemo, startDemo } = await import("../../fixtures/demo.ts").catch((cause) => {
      throw new UsageError(`The demo is not part of this installation: ${cause.message}`, {
        cause,
      });
    });
    const joined = sharing === "joins" ? await joinDemo() : undefined;
    return joined ?? await startDemo(sharing === "opens");
  };
}
