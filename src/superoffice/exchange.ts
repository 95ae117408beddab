import { z } from "zod";
import {
  DeniedError,
  ExchangeRefusedError,
  ExpiredError,
  InvalidRedirectUrlError,
  InvalidSignatureError,
  InvalidTimestampError,
  NeedsReapprovalError,
  RevokedError,
} from "./errors.ts";
import { cutBetweenWords, readJson, type Send, serverTimeOf, unexpectedStatus } from "./http.ts";
import type { KeySet } from "./keySet.ts";
import { type Application, assertContextIdentifier } from "./tenant.ts";
import { validateJwt } from "./validateJwt.ts";

const answerSchema = z.object({
  IsSuccessful: z.boolean(),
  Token: z.string().nullish(),
  ErrorMessage: z.string().nullish(),
});

// The names are documented, the sentences around them are not.
const REFUSALS = {
  InvalidTimestamp: InvalidTimestampError,
  InvalidSignature: InvalidSignatureError,
  InvalidRedirectUrl: InvalidRedirectUrlError,
  NeedsReapproval: NeedsReapprovalError,
  Revoked: RevokedError,
  Expired: ExpiredError,
  Denied: DeniedError,
};

/** What the request for a JWT is for; each one leaves a record in the tenant's database. */
export const EXCHANGE = "the exchange";

/**
 * Exchanges a signed system token for the tenant's system user ticket: asks for a JWT, and validates it. The ticket is a
 * secret; it is valid for 6 hours from each use.
 *
 * Throws what {@link askForJwt} and {@link validateJwt} throw.
 *
 * @example
 * ```ts
 * const keySet = createKeySet(application.loginUrl, sendByFetch);
 * const now = () => new Date();
 * const ticket = await exchange("Cust12345", signed, application, keySet, now, sendByFetch);
 * ```
 *
 * @see "How to get a system user ticket credential",
 * https://docs.superoffice.com/en/authentication/online/auth-application/get-system-user-ticket.html
 */
export async function exchange(
  contextIdentifier: string,
  signedSystemToken: string,
  application: Application,
  keySet: KeySet,
  now: () => Date,
  send: Send,
): Promise<string> {
  // Each exchange leaves a record in the tenant's database: make none whose answer could not be validated.
  const keysWhenAsked = await keySet.get();
  const jwt = await askForJwt(contextIdentifier, signedSystemToken, application, send);
  return (await validateJwt(jwt, contextIdentifier, keySet, now(), keysWhenAsked)).ticket;
}

/**
 * Asks for the JWT that holds a tenant's system user ticket. It is a secret, and not to be trusted before it was validated.
 *
 * Throws a kind of {@link ExchangeRefusedError} when SuperOffice refuses, an `UnexpectedStatusError`, an
 * `UnreadableAnswerError`, a `ContextIdentifierError`, and what {@link Send} throws.
 *
 * @example
 * ```ts
 * const jwt = await askForJwt("Cust12345", signed, application, sendByFetch);
 * ```
 *
 * @see {@link exchange}
 */
export async function askForJwt(
  contextIdentifier: string,
  signedSystemToken: string,
  application: Application,
  send: Send,
): Promise<string> {
  assertContextIdentifier(contextIdentifier);
  const answer = await send({
    purpose: EXCHANGE,
    method: "POST",
    url: `${application.loginUrl}/Login/api/PartnerSystemUser/Authenticate`,
    contextIdentifier,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      SignedSystemToken: signedSystemToken,
      ApplicationToken: application.clientSecret,
      ContextIdentifier: contextIdentifier,
      ReturnTokenType: "JWT",
    }),
  });
  if (answer.status !== 200) throw unexpectedStatus(answer);
  const { IsSuccessful, Token, ErrorMessage } = readJson(answer, answerSchema);
  if (IsSuccessful && Token) return Token;
  throw refusal(ErrorMessage || "no reason was given", serverTimeOf(answer));
}

function refusal(reason: string, serverTime: Date | undefined): ExchangeRefusedError {
  const words = reason.toLowerCase().replace(/[^a-z]/g, "");
  const name = Object.keys(REFUSALS).find((name) => words.includes(name.toLowerCase()));
  const Refusal = name === undefined
    ? ExchangeRefusedError
    : REFUSALS[name as keyof typeof REFUSALS];
  const error = new Refusal(`The exchange was refused: ${cutBetweenWords(reason, 300)}`);
  if (error instanceof InvalidTimestampError) error.serverTime = serverTime;
  return error;
}
