import { z } from "zod";
import { SystemTokenMissingError } from "./errors.ts";
import { cutBetweenWords } from "./http.ts";
import type { KeySet } from "./keySet.ts";
import { assertItsTime, CLAIM, CLAIM_SHAPES, refusalOf, signedClaims } from "./validateJwt.ts";

/** What the id_token of an approval says, after its validation. */
export interface Approved {
  /** The tenant that approved, as SuperOffice writes it. */
  contextIdentifier: string;
  /** The system user token. A secret. */
  systemUserToken: string;
  /** The name of the tenant's company, where it is told. */
  companyName: string | undefined;
}

/** Who asked for the approval, and how it is known again. */
export interface Asker {
  /** The login host, for example `https://online.superoffice.com`: it issues the id_token. */
  loginUrl: string;
  clientId: string;
  /** The random text that was sent along when the approval was asked for. */
  nonce: string;
}

/** A context identifier is shown, and stored in a row. */
const CONTEXT_IDENTIFIER = /^[\x21-\x7e]{1,100}$/;
const LONGEST_NAME = 200;

const claimsSchema = z.object({
  iss: z.string(),
  aud: CLAIM_SHAPES.aud,
  nbf: CLAIM_SHAPES.seconds,
  exp: CLAIM_SHAPES.seconds,
  nonce: z.string().optional(),
  [`${CLAIM}ctx`]: z.string().regex(CONTEXT_IDENTIFIER),
  [`${CLAIM}serial`]: CLAIM_SHAPES.serial,
  // Whether it is absent or empty for an application without a system user is not documented. It is stored in a row.
  [`${CLAIM}system_token`]: z.string().max(1000).regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u).nullish(),
  [`${CLAIM}company_name`]: z.string().nullish(),
});

const WHOSE = "The id_token";
const invalid = refusalOf(WHOSE);

/**
 * Validates the id_token that came of an approval: signed with RS256 by a key of the login host, issued by that host, meant for
 * this application, the answer to this request, valid now. Its `iat` may be a string of digits, and its audience
 * `spn:` and its own serial, for which libraries for OpenID Connect refuse it.
 *
 * Throws `JwtInvalidError` with the check that failed, {@link SystemTokenMissingError}, and what reading the key set throws.
 *
 * @example
 * ```ts
 * const asker = { loginUrl: "https://sod.superoffice.com", clientId, nonce };
 * const { contextIdentifier, systemUserToken } = await validateIdToken(jwt, asker, keySet, new Date());
 * ```
 *
 * @see "Validate security tokens", https://docs.superoffice.com/en/authentication/online/validate-security-tokens.html
 */
export async function validateIdToken(
  jwt: string,
  { loginUrl, clientId, nonce }: Asker,
  keySet: KeySet,
  now: Date,
): Promise<Approved> {
  const claims = await signedClaims(WHOSE, jwt, claimsSchema, keySet);
  const own = claims as unknown as Record<string, string | null | undefined>;
  const serial = own[`${CLAIM}serial`];

  if (!isSameHost(claims.iss, loginUrl)) {
    throw invalid(`its issuer is «${cutBetweenWords(claims.iss, 200)}», not «${loginUrl}»`);
  }
  if (!claims.aud.some((aud) => aud === clientId || aud === `spn:${serial}`)) {
    throw invalid(
      `it is for another application: its audience is «${
        cutBetweenWords(claims.aud.join(", "), 200)
      }»`,
    );
  }
  if (claims.nonce !== nonce) throw invalid("its nonce is not the one of this approval");
  assertItsTime(WHOSE, claims, now);

  const contextIdentifier = own[`${CLAIM}ctx`] ?? "";
  const systemUserToken = own[`${CLAIM}system_token`] ?? "";
  if (systemUserToken.trim() === "") {
    throw new SystemTokenMissingError(
      `${contextIdentifier} approved the application, but the id_token holds no system user token`,
    );
  }
  const companyName = cutBetweenWords(own[`${CLAIM}company_name`] ?? "", LONGEST_NAME) || undefined;
  return { contextIdentifier, systemUserToken, companyName };
}

/** A slash at the end makes no other issuer. */
function isSameHost(issuer: string, loginUrl: string): boolean {
  return issuer.replace(/\/$/, "") === loginUrl;
}
