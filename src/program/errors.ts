import { ExplainedError } from "../superoffice/errors.ts";

/** Settings that are missing or wrong, all of them in one message. */
export class SettingsError extends ExplainedError {
  static override readonly code = "SETTINGS_WRONG";
  static override readonly remedy = "Correct the settings and start again; --help lists them.";
  readonly faults: string[];

  constructor(faults: string[]) {
    super(["The settings are not right:", ...faults.map((fault) => `  ${fault}`)].join("\n"));
    this.faults = faults;
  }
}

/** The command line says something that is not known. */
export class UsageError extends ExplainedError {
  static override readonly code = "USAGE_WRONG";
  static override readonly remedy = "--help shows what there is.";
}

/** Anything else: a mistake in this program, or in code that it was given to run. */
export class UnexpectedError extends ExplainedError {
  static override readonly code = "UNEXPECTED";
  static override readonly remedy = "This should not happen: please report it, with this line.";
}
