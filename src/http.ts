import type { z } from "zod";
import {
  BusyError,
  ForbiddenError,
  NotFoundError,
  RedirectError,
  TenantMovedError,
  TicketRefusedError,
  UnexpectedStatusError,
  UnreadableAnswerError,
} from "./errors.ts";

/** Sends one request and gives its answer, whatever the status; see `createHttpClient`. */
export type Send = (
  request: HttpRequest,
  limits: { timeoutMs: number; signal: AbortSignal },
) => Promise<HttpAnswer>;

/** What every request needs beside its own content. */
export interface HttpOptions {
  /** Pass another client of this form to replace the console's. */
  send: Send;
  /** How long one request may take, from its start to its answer's last byte, in milliseconds. */
  timeoutMs: number;
  /** Ends requests under way when the console stops. */
  signal: AbortSignal;
}

export interface HttpRequest {
  /** What the request is for, as a person would say it: "the exchange", "reading the tenant's state". */
  purpose: string;
  url: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer> | undefined;
  /** How long the answer may be; 1 MiB where it is not said. */
  maxBytes?: number;
}

export interface HttpAnswer {
  purpose: string;
  host: string;
  status: number;
  /** By their names in lower case. */
  headers: Record<string, string | string[] | undefined>;
  bytes: Uint8Array;
}

/** Gives an answer's JSON in the schema's shape, or throws {@link UnreadableAnswerError}. */
export function readJson<T>(
  answer: Omit<HttpAnswer, "headers">,
  schema: z.ZodType<T>,
): T {
  const text = textOf(answer);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new UnreadableAnswerError(
      `${answer.host} answered ${answer.purpose} with status ${answer.status} and no JSON` +
        excerpt(text),
      { cause },
    );
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new UnreadableAnswerError(
    `${answer.host} answered ${answer.purpose} with JSON of another form (${faults.join("; ")})`,
    { cause: parsed.error },
  );
}

/** The time of day at the answer's host, from its `Date` header. */
export function serverTimeOf({ headers }: HttpAnswer): Date | undefined {
  const time = new Date(String(headers["date"]));
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** The error for an answer whose status the step has no other word for. */
export function unexpectedStatus(answer: HttpAnswer): UnexpectedStatusError {
  const { host, purpose, status } = answer;
  const ErrorClass = errorClassOf(status);
  const message = `${host} answered ${purpose} with status ${status}${excerpt(textOf(answer))}`;
  return new ErrorClass(message, status, retryAfterMsOf(answer));
}

function errorClassOf(status: number): typeof UnexpectedStatusError {
  if (status >= 300 && status < 400) return RedirectError;
  if (status === 401) return TicketRefusedError;
  if (status === 403) return ForbiddenError;
  if (status === 404) return NotFoundError;
  if (status === 421) return TenantMovedError;
  if (status === 429 || status >= 500) return BusyError;
  return UnexpectedStatusError;
}

/** `Retry-After` holds seconds, or a date by the answering host's clock. */
function retryAfterMsOf(answer: HttpAnswer): number {
  const value = String(answer.headers["retry-after"]);
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const ms = Date.parse(value) - (serverTimeOf(answer)?.getTime() ?? NaN);
  return ms > 0 ? ms : 0;
}

/** An answer's body, in UTF-8 whatever it says. */
export function textOf({ bytes }: Pick<HttpAnswer, "bytes">): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder();

function excerpt(text: string): string {
  // Few letters are searched for markup: in many it would take minutes.
  const start = cutBetweenWords(
    cutBetweenWords(text, 4000).replace(/<[^>]*>|\s+/g, " ").replace(/ +/g, " ").trim(),
    120,
  );
  return start === "" ? "" : ` («${start}»)`;
}

/** The start of a text, without the piece of a word that would no longer be recognised as a secret. */
export function cutBetweenWords(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).replace(/\S*$/, "…");
}
