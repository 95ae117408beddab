import { compactVerify, errors } from "jose";
import { z } from "zod";
import { JwtInvalidError } from "./errors.ts";
import type { KeySet } from "./keySet.ts";

type Keys = Awaited<ReturnType<KeySet["get"]>>;

/** What the JWT of an exchange says, after its validation. */
export interface SystemUserClaims {
  /** The system user ticket, `7T:…`. A secret. */
  ticket: string;
  /** The tenant's context identifier, as SuperOffice writes it. */
  contextIdentifier: string;
}

const CLAIM = "http://schemes.superoffice.net/identity/";
const ISSUER = "SuperOffice AS";
/** How far this machine's clock and SuperOffice's may differ, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 30;

// Numbers come as numbers or as strings of digits, and one audience as a string or in a list.
const LATEST_DATE_SECONDS = 8.64e12;
const seconds = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)])
  .refine((at) => at >= 0 && at <= LATEST_DATE_SECONDS);
const claimsSchema = z.object({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]).transform((aud) => [aud].flat()),
  nbf: seconds,
  exp: seconds,
  [`${CLAIM}ctx`]: z.string(),
  [`${CLAIM}serial`]: z.union([z.string(), z.number().transform(String)]),
  // It is sent in a header.
  [`${CLAIM}ticket`]: z.string().regex(/^[\x20-\x7e]+$/),
});

/**
 * Validates the JWT that an exchange gave: signed with RS256 by a key of the login host, issued by SuperOffice,
 * meant for this installation (`spn:<serial>`), valid now, and for the tenant that was asked for.
 *
 * @param keysWhenAsked the keys as they were when the JWT was asked for, since they may be others by now
 *
 * Throws {@link JwtInvalidError} with the check that failed, and what reading the key set throws.
 *
 * @example
 * ```ts
 * const { ticket } = await validateJwt(jwt, "Cust12345", keySet, new Date());
 * ```
 *
 * @see "Validate security tokens", https://docs.superoffice.com/en/authentication/online/validate-security-tokens.html
 */
export async function validateJwt(
  jwt: string,
  contextIdentifier: string,
  keySet: KeySet,
  now: Date,
  keysWhenAsked?: Keys,
): Promise<SystemUserClaims> {
  const keys = keysWhenAsked ?? await keySet.get();
  const claims = readClaims(await verifySignature(jwt, keys, keySet));
  const serial = claims[`${CLAIM}serial`] as string;
  const ctx = claims[`${CLAIM}ctx`] as string;
  const nowSeconds = now.getTime() / 1000;
  const time = (at: number) => new Date(at * 1000).toISOString();
  const here = `this machine's clock says ${now.toISOString()}`;

  if (claims.iss !== ISSUER) throw invalid(`its issuer is «${claims.iss}», not «${ISSUER}»`);
  if (!claims.aud.includes(`spn:${serial}`)) {
    throw invalid(`its audience is «${claims.aud.join(", ")}», not «spn:${serial}»`);
  }
  if (nowSeconds < claims.nbf - CLOCK_TOLERANCE_SECONDS) {
    throw invalidNow(`it is not valid before ${time(claims.nbf)}, and ${here}`);
  }
  if (nowSeconds >= claims.exp + CLOCK_TOLERANCE_SECONDS) {
    throw invalidNow(`it expired at ${time(claims.exp)}, and ${here}`);
  }
  if (ctx.toLowerCase() !== contextIdentifier.toLowerCase()) {
    throw invalid(`it is for the tenant ${ctx}`);
  }
  return { ticket: claims[`${CLAIM}ticket`] as string, contextIdentifier: ctx };
}

/** Gives the payload's text when one of SuperOffice's keys signed it. */
async function verifySignature(jwt: string, keys: Keys, keySet: KeySet): Promise<string> {
  try {
    return await verifyWith(jwt, keys);
  } catch (cause) {
    if (!isUnexplained(cause)) throw notVerified(cause);
  }
  // The keys may have rotated since they were read.
  const renewed = await keySet.renew(keys);
  try {
    return await verifyWith(jwt, renewed);
  } catch (cause) {
    throw notVerified(cause);
  }
}

async function verifyWith(jwt: string, keys: Keys): Promise<string> {
  const options = { algorithms: ["RS256"] };
  try {
    return text(await compactVerify(jwt, keys, options));
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    // The header names no key and several are suitable: each is tried.
    for await (const key of error) {
      try {
        return text(await compactVerify(jwt, key, options));
      } catch {
        // Not this one: it did not sign, or cannot be used at all.
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function text({ payload }: { payload: Uint8Array }): string {
  return new TextDecoder().decode(payload);
}

function isUnexplained(error: unknown): boolean {
  return error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWKSNoMatchingKey;
}

function notVerified(cause: unknown): JwtInvalidError {
  if (isUnexplained(cause)) {
    return invalid("no key of the login host explains its signature", cause);
  }
  return invalid(cause instanceof Error ? cause.message : String(cause), cause);
}

function readClaims(payload: string): z.infer<typeof claimsSchema> {
  try {
    return claimsSchema.parse(JSON.parse(payload));
  } catch (cause) {
    if (!(cause instanceof z.ZodError)) throw invalid("its payload is not JSON", cause);
    const claims = cause.issues.map(({ path }) =>
      String(path[0] ?? "all of them").replace(CLAIM, "")
    );
    throw invalid(`claims are missing or malformed: ${claims.join(", ")}`, cause);
  }
}

function invalid(reason: string, cause?: unknown): JwtInvalidError {
  return new JwtInvalidError(`The exchange's JWT was refused: ${reason}`, { cause });
}

function invalidNow(reason: string): JwtInvalidError {
  return Object.assign(invalid(reason), { isForItsTime: true });
}
