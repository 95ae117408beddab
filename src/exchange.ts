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
import {
  cutBetweenWords,
  type HttpOptions,
  readJson,
  serverTimeOf,
  unexpectedStatus,
} from "./http.ts";
import type { KeySet } from "./keySet.ts";
import { validateJwt } from "./validateJwt.ts";

/** The vendor's application, as far as SuperOffice has to know it. */
export interface Application {
  /** Where authentication happens, for example `https://online.superoffice.com`; no slash at the end. */
  loginUrl: string;
  /** Also called application token. A secret. */
  clientSecret: string;
}

export const answerSchema = z.object({
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

/**
 * Exchanges a signed system token for the tenant's system user ticket. The JWT that holds the ticket is
 * validated. The ticket is a secret; it is valid for 6 hours from each use.
 *
 * Throws a kind of {@link ExchangeRefusedError} when SuperOffice refuses, and what {@link validateJwt} and
 * {@link HttpOptions}`.send` throw.
 *
 * @see SuperOffice's page "How to get a system user ticket credential" (PROTOCOL.md §3)
 */
export async function exchange(
  contextIdentifier: string,
  signedSystemToken: string,
  application: Application,
  keySet: KeySet,
  now: () => Date,
  http: HttpOptions,
): Promise<string> {
  // Each exchange leaves a record in the tenant's database: make none whose answer could not be validated.
  const keys = await keySet.get();
  const answer = await http.send({
    purpose: "the exchange",
    method: "POST",
    url: `${application.loginUrl}/Login/api/PartnerSystemUser/Authenticate`,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      SignedSystemToken: signedSystemToken,
      ApplicationToken: application.clientSecret,
      ContextIdentifier: contextIdentifier,
      ReturnTokenType: "JWT",
    }),
  }, http);
  if (answer.status !== 200) throw unexpectedStatus(answer);
  const { IsSuccessful, Token, ErrorMessage } = readJson(answer, answerSchema);
  if (!IsSuccessful || !Token) {
    throw refusal(ErrorMessage || "no reason was given", serverTimeOf(answer));
  }
  const { ticket } = await validateJwt(Token, contextIdentifier, keySet, now(), keys);
  return ticket;
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
