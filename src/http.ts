import type { z } from "zod";
import {
  BusyError,
  ConsoleError,
  ForbiddenError,
  NetworkError,
  NotFoundError,
  RedirectError,
  RequestTimeoutError,
  StoppedError,
  TenantMovedError,
  TicketRefusedError,
  UnexpectedStatusError,
  UnreadableAnswerError,
} from "./errors.ts";

/** The part of the platform's `fetch` that the console uses; pass another client of this form to replace it. */
export type Fetch = (
  url: string,
  init: {
    method: string;
    headers: Record<string, string>;
    body?: string | Uint8Array<ArrayBuffer>;
    signal: AbortSignal;
    redirect: "manual";
  },
) => Promise<{
  status: number;
  headers: Pick<Headers, "get" | "forEach">;
  body: AsyncIterable<Uint8Array> | null;
}>;

/** What every request needs beside its own content. */
export interface HttpOptions {
  fetch: Fetch;
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
  headers: Pick<Headers, "get" | "forEach">;
  bytes: Uint8Array;
  readonly text: string;
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * Sends one request and reads its answer, whatever the status, up to a limit. Redirects are not followed.
 *
 * Throws {@link NetworkError}, {@link RequestTimeoutError}, {@link StoppedError}, or
 * {@link UnreadableAnswerError} when the answer is longer.
 */
export async function sendRequest(request: HttpRequest, http: HttpOptions): Promise<HttpAnswer> {
  const { purpose, url, method = "GET", headers, body, maxBytes = MAX_ANSWER_BYTES } = request;
  const { host } = new URL(url);
  // Not AbortSignal.any: it holds on to every signal of a long-lived source on Node 20.
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, http.timeoutMs);
  http.signal.addEventListener("abort", abort);
  try {
    if (http.signal.aborted) abort();
    const response = await http.fetch(url, {
      method,
      headers: {
        accept: "application/json",
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
      signal: controller.signal,
      redirect: "manual",
    });
    const bytes = await readBytes(response.body, maxBytes);
    if (bytes === undefined) {
      throw new UnreadableAnswerError(
        `${host} answered ${purpose} with more than ${maxBytes} bytes`,
      );
    }
    return {
      purpose,
      host,
      status: response.status,
      headers: response.headers,
      bytes,
      get text() {
        return new TextDecoder().decode(bytes);
      },
    };
  } catch (cause) {
    if (cause instanceof ConsoleError) throw cause;
    if (http.signal.aborted) throw new StoppedError(`Stopped during ${purpose}`);
    if (controller.signal.aborted) {
      throw new RequestTimeoutError(
        `${host} did not answer ${purpose} within ${Math.round(http.timeoutMs) / 1000} s`,
      );
    }
    throw new NetworkError(`${host} could not be reached for ${purpose}: ${reasonOf(cause)}`, {
      cause,
    });
  } finally {
    clearTimeout(timer);
    http.signal.removeEventListener("abort", abort);
  }
}

/** Gives an answer's JSON in the schema's shape, or throws {@link UnreadableAnswerError}. */
export function readJson<T>(
  answer: Omit<HttpAnswer, "bytes" | "headers">,
  schema: z.ZodType<T>,
): T {
  const { text } = answer;
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
  const time = new Date(headers.get("date") ?? "");
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** The error for an answer whose status the step has no other word for. */
export function unexpectedStatus(answer: HttpAnswer): UnexpectedStatusError {
  const { host, purpose, status } = answer;
  const ErrorClass = errorClassOf(status);
  const message = `${host} answered ${purpose} with status ${status}${excerpt(answer.text)}`;
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
  const value = answer.headers.get("retry-after") ?? "";
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const ms = Date.parse(value) - (serverTimeOf(answer)?.getTime() ?? NaN);
  return ms > 0 ? ms : 0;
}

async function readBytes(
  body: AsyncIterable<Uint8Array> | null,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

function excerpt(text: string): string {
  const start = cutBetweenWords(text.replace(/<[^>]*>|\s+/g, " ").replace(/ +/g, " ").trim(), 120);
  return start === "" ? "" : ` («${start}»)`;
}

/** The start of a text, without the piece of a word that would no longer be recognised as a secret. */
export function cutBetweenWords(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).replace(/\S*$/, "…");
}

// fetch hides the reason in `cause`, and several addresses' reasons in an AggregateError.
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  return error.message;
}
