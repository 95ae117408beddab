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

/** What the names of SuperOffice's own claims begin with. */
export const CLAIM = "http://schemes.superoffice.net/identity/";

/** How far this machine's clock and SuperOffice's may differ, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 30;

// Numbers come as numbers or as strings of digits, and one audience as a string or in a list.
const LATEST_DATE_SECONDS = 8.64e12;
const seconds = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)])
  .refine((at) => at >= 0 && at <= LATEST_DATE_SECONDS);

/** The claims that each has. */
export const commonClaims = {
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]).transform((aud) => [aud].flat()),
  nbf: seconds,
  exp: seconds,
  [`${CLAIM}ctx`]: z.string(),
  [`${CLAIM}serial`]: z.union([z.string(), z.number().transform(String)]),
};

/** How a JWT is refused: gives the error for a reason. */
export type Refuse = (reason: string, cause?: unknown) => JwtInvalidError;

/** @param what the JWT, as a person would say it: "The exchange's JWT" */
export function refusing(what: string): Refuse {
  return (reason, cause) => new JwtInvalidError(`${what} was refused: ${reason}`, { cause });
}

const ISSUER = "SuperOffice AS";

const claimsSchema = z.object({
  ...commonClaims,
  // It is sent in a header.
  [`${CLAIM}ticket`]: z.string().regex(/^[\x20-\x7e]+$/),
});

const invalid = refusing("The exchange's JWT");

/**
 * Validates the JWT that an exchange gave: signed with RS256 by a key of the login host, issued by SuperOffice,
 * meant for this installation (`spn:<serial>`), valid now, and for the tenant that was asked for.
 *
 * @param keysWhenAsked the keys as they were when the JWT was asked for, since they may be others by now
 *
 * Throws `JwtInvalidError` with the check that failed, and what reading the key set throws.
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
  const claims = await readSignedClaims(jwt, claimsSchema, invalid, keySet, keysWhenAsked);
  const serial = claims[`${CLAIM}serial`] as string;
  const ctx = claims[`${CLAIM}ctx`] as string;

  if (claims.iss !== ISSUER) throw invalid(`its issuer is «${claims.iss}», not «${ISSUER}»`);
  if (!claims.aud.includes(`spn:${serial}`)) {
    throw invalid(`its audience is «${claims.aud.join(", ")}», not «spn:${serial}»`);
  }
  assertValidAt(now, claims, invalid);
  if (ctx.toLowerCase() !== contextIdentifier.toLowerCase()) {
    throw invalid(`it is for the tenant ${ctx}`);
  }
  return { ticket: claims[`${CLAIM}ticket`] as string, contextIdentifier: ctx };
}

// What follows is the same for every JWT that SuperOffice signs.

/**
 * Gives a JWT's claims, in the schema's shape, when a key of the login host signed it with RS256. What they say has yet to be
 * judged.
 *
 * @param keysWhenAsked the keys as they were when the JWT was asked for, since they may be others by now
 *
 * Throws what `refuse` gives, and what reading the key set throws.
 */
export async function readSignedClaims<T>(
  jwt: string,
  schema: z.ZodType<T>,
  refuse: Refuse,
  keySet: KeySet,
  keysWhenAsked?: Keys,
): Promise<T> {
  const keys = keysWhenAsked ?? await keySet.get();
  return readClaims(await verifySignature(jwt, keys, keySet, refuse), schema, refuse);
}

/** Throws what `refuse` gives where a JWT is not valid at this time. */
export function assertValidAt(
  now: Date,
  { nbf, exp }: { nbf: number; exp: number },
  refuse: Refuse,
): void {
  const nowSeconds = now.getTime() / 1000;
  const time = (at: number) => new Date(at * 1000).toISOString();
  const here = `this machine's clock says ${now.toISOString()}`;
  const refuseNow = (reason: string) => Object.assign(refuse(reason), { isForItsTime: true });
  if (nowSeconds < nbf - CLOCK_TOLERANCE_SECONDS) {
    throw refuseNow(`it is not valid before ${time(nbf)}, and ${here}`);
  }
  if (nowSeconds >= exp + CLOCK_TOLERANCE_SECONDS) {
    throw refuseNow(`it expired at ${time(exp)}, and ${here}`);
  }
}

/** Gives the payload's text when one of SuperOffice's keys signed it. */
async function verifySignature(
  jwt: string,
  keys: Keys,
  keySet: KeySet,
  refuse: Refuse,
): Promise<string> {
  try {
    return await verifyWith(jwt, keys);
  } catch (cause) {
    if (!isUnexplained(cause)) throw notVerified(cause, refuse);
  }
  // The keys may have rotated since they were read.
  const renewed = await keySet.renew(keys);
  try {
    return await verifyWith(jwt, renewed);
  } catch (cause) {
    throw notVerified(cause, refuse);
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

function notVerified(cause: unknown, refuse: Refuse): JwtInvalidError {
  if (isUnexplained(cause)) return refuse("no key of the login host explains its signature", cause);
  return refuse(cause instanceof Error ? cause.message : String(cause), cause);
}

function readClaims<T>(payload: string, schema: z.ZodType<T>, refuse: Refuse): T {
  try {
    return schema.parse(JSON.parse(payload));
  } catch (cause) {
    if (!(cause instanceof z.ZodError)) throw refuse("its payload is not JSON", cause);
    const claims = cause.issues.map(({ path }) =>
      String(path[0] ?? "all of them").replace(CLAIM, "")
    );
    throw refuse(`claims are missing or malformed: ${claims.join(", ")}`, cause);
  }
}
