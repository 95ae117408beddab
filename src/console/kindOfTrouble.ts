import {
  ContextIdentifierError,
  ExpiredError,
  ExplainedError,
  NeedsReapprovalError,
  NetworkError,
  RequestTimeoutError,
  RevokedError,
  UnexpectedStatusError,
  UnreadableAnswerError,
  WrongTenantError,
} from "../superoffice/errors.ts";
import { StoppedError } from "./errors.ts";

/** What refuses one customer alone, however many it happens to. */
const ONES_OWN = [
  RevokedError,
  ExpiredError,
  NeedsReapprovalError,
  ContextIdentifierError,
  WrongTenantError,
  StoppedError,
];
const NO_ANSWER = [NetworkError, RequestTimeoutError, UnexpectedStatusError, UnreadableAnswerError];

/** What two failures have in common that may have the same cause; undefined for what is a customer's own. */
export function kindOfTrouble(error: unknown): string | undefined {
  if (!(error instanceof ExplainedError)) return undefined;
  if (ONES_OWN.some((kind) => error instanceof kind)) return undefined;
  return NO_ANSWER.some((kind) => error instanceof kind) ? "no answer" : error.code;
}
