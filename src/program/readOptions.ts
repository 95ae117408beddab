import { parseArgs, type ParseArgsConfig } from "node:util";
import { UsageError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/** The options that a command line may name, as `parseArgs` wants them. */
type Options = NonNullable<ParseArgsConfig["options"]>;

/**
 * Reads a command line. Throws {@link UsageError} for what it does not know, with the option's name, but without any value: it
 * could be a secret.
 */
export function readOptions<const O extends Options>(args: string[], options: O) {
  const given = { args, options, allowPositionals: true } as const;
  const { tokens } = parseArgs({ ...given, strict: false, tokens: true });
  for (const token of tokens) {
    const fault = token.kind === "option" ? faultOf(token, options) : undefined;
    if (fault !== undefined) throw new UsageError(fault);
  }
  return parseArgs(given);
}

function faultOf(
  { name, rawName, value, inlineValue }: {
    name: string;
    rawName: string;
    value: string | undefined;
    inlineValue: boolean | undefined;
  },
  options: Options,
): string | undefined {
  if (!Object.hasOwn(options, name)) {
    const meant = nearest(name, Object.keys(options));
    return `There is no option ${rawName}` + (meant === undefined ? "" : `; is --${meant} meant?`);
  }
  const isForgotten = !value || (value.startsWith("-") && !inlineValue);
  if (options[name]?.type === "string") {
    return isForgotten ? `${rawName} needs a value behind it` : undefined;
  }
  return value === undefined ? undefined : `${rawName} takes no value`;
}
