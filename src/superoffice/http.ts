import type { z } from "zod";
import {
  BusyError,
  type CertificateFault,
  ForbiddenError,
  LoginHostRefusedError,
  NetworkError,
  NotFoundError,
  RedirectError,
  UnexpectedStatusError,
  UnreadableAnswerError,
} from "./errors.ts";

/**
 * Sends a request and gives its answer, whatever the status. Redirects are not followed.
 *
 * Throws {@link NetworkError}, `RequestTimeoutError`, {@link UnreadableAnswerError} for an answer that is too long, and the
 * reason of the request's signal.
 */
export type Send = (request: HttpRequest) => Promise<HttpAnswer>;

/** One request; what is undefined counts as not said. */
export interface HttpRequest {
  /** What the request is for, as a person would say it: "the exchange", "reading the tenant's state". */
  purpose: string;
  url: string;
  /** `GET` where it is not said. */
  method?: string | undefined;
  headers?: Record<string, string> | undefined;
  body?: string | Uint8Array<ArrayBuffer> | undefined;
  /** How long it may take, to the answer's last byte, in milliseconds; 30,000 where it is not said. */
  timeoutMs?: number | undefined;
  /** Ends the request. */
  signal?: AbortSignal | undefined;
  /** How long the answer may be; 1 MiB where it is not said. */
  maxBytes?: number | undefined;
  /** The tenant that it is for, where it is not for all, for a `send` that tells them apart. */
  contextIdentifier?: string | undefined;
  /** Whether a second time could do the work twice, for a `send` that repeats what failed. */
  onceOnly?: boolean | undefined;
}

/** The answer to a request. */
export interface HttpAnswer {
  purpose: string;
  host: string;
  status: number;
  /** By their names in lower case. */
  headers: Record<string, string | string[] | undefined>;
  bytes: Uint8Array;
}

/** What a {@link Send} takes for granted where the request does not say it. */
export const HTTP_DEFAULTS = { timeoutMs: 30_000, maxBytes: 1024 * 1024 } as const;

const MOST_FAULTS = 10;

/** Gives an answer's JSON in the schema's shape, or throws {@link UnreadableAnswerError}. */
export function readJson<T>(answer: Omit<HttpAnswer, "headers">, schema: z.ZodType<T>): T {
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
  const faults = parsed.error.issues.slice(0, MOST_FAULTS)
    .map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  throw new UnreadableAnswerError(
    `${answer.host} answered ${answer.purpose} with JSON of another form (${
      cutBetweenWords(faults, 1000)
    })`,
    { cause: parsed.error },
  );
}

/** An answer's body as text, in UTF-8 whatever it says. */
export function textOf({ bytes }: Pick<HttpAnswer, "bytes">): string {
  return decoder.decode(bytes);
}

const decoder = new TextDecoder();

/** The time of day at the answer's host, from its `Date` header. */
export function serverTimeOf({ headers }: Pick<HttpAnswer, "headers">): Date | undefined {
  const time = new Date(String(headers["date"]));
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** How long an answer asks to wait, in milliseconds: `Retry-After` holds seconds, or a date by the host's own clock. */
export function retryAfterMsOf({ headers }: Pick<HttpAnswer, "headers">): number {
  const value = String(headers["retry-after"]);
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, Number.MAX_SAFE_INTEGER);
  const ms = Date.parse(value) - (serverTimeOf({ headers })?.getTime() ?? NaN);
  return ms > 0 ? ms : 0;
}

/** The error for an answer of the login host whose status is not 200. */
export function unexpectedStatus(answer: HttpAnswer): UnexpectedStatusError {
  const ErrorClass = errorClassOf(answer.status);
  return new ErrorClass(describeStatus(answer), answer.status);
}

/** What happened, for an error: who answered what with which status, and how its text begins. */
export function describeStatus(answer: HttpAnswer): string {
  const { host, purpose, status } = answer;
  return `${host} answered ${purpose} with status ${status}${excerpt(textOf(answer))}`;
}

function errorClassOf(status: number): typeof UnexpectedStatusError {
  if (status >= 300 && status < 400) return RedirectError;
  if (status === 401) return LoginHostRefusedError;
  if (status === 403) return ForbiddenError;
  if (status === 404) return NotFoundError;
  if (status === 429 || status >= 500) return BusyError;
  return UnexpectedStatusError;
}

/** The error for a request that got no answer, with the reason that lies deepest. */
export function networkError(cause: unknown, host: string, purpose: string): NetworkError {
  const { message, code = "" } = reasonOf(cause);
  const [fault] = CERTIFICATE_FAULTS.find(([, signs]) => signs.test(`${code} ${message}`)) ?? [];
  const text = `${host} could not be reached for ${purpose}: ${message}`;
  return new NetworkError(text, { cause }, fault);
}

/** How Node and Deno say what is wrong with a certificate; the words are those of Deno's `fetch`, which gives no code. */
const CERTIFICATE_FAULTS: [CertificateFault, RegExp][] = [
  ["misnamed", /^ERR_TLS_CERT_ALTNAME_INVALID|certificate: .*not valid for name/],
  ["outOfTime", /^CERT_(HAS_EXPIRED|NOT_YET_VALID)|certificate: .*(expired|not valid yet)/],
  ["untrusted", /^(UNABLE_TO_|[A-Z_]*SELF_SIGNED_CERT)|certificate: UnknownIssuer/],
];

/** `fetch` hides its reason in `cause`; where a host has several addresses, an AggregateError holds a reason for each. */
function reasonOf(error: unknown): { message: string; code?: string } {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return { message: String(error) };
  return error.cause instanceof Error ? reasonOf(error.cause) : error;
}

function excerpt(text: string): string {
  // Few letters are searched for markup: in many it would take minutes.
  const start = cutBetweenWords(
    cutBetweenWords(text, 4000).replace(/<[!/?a-z][^<>]*>|\s+/gi, " ").replace(/ +/g, " ").trim(),
    120,
  );
  return start === "" ? "" : ` («${start}»)`;
}

/** The start of a text, without the piece of a word that would no longer be recognised as a secret. */
export function cutBetweenWords(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).replace(/\S*$/, "…");
}
