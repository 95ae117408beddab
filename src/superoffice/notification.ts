// What SuperOffice posts when a tenant changes: read, and believed only when its JWT is SuperOffice's.
import { z } from "zod";
import type { KeySet } from "./keySet.ts";
import { assertItsTime, CLAIM, CLAIM_SHAPES, refusalOf, signedClaims } from "./validateJwt.ts";

/**
 * What can happen to a tenant, by SuperOffice's names, in the order of their numbers.
 *
 * @see "Tenant status webhook",
 * https://docs.superoffice.com/en/developer-portal/best-practices/tenant-status/get-notifications.html
 */
export const TENANT_CHANGES = [
  "Upgrade",
  "BackupRestored",
  "Suspend",
  "Resume",
  "Delete",
  "Move",
] as const;

/** What happened to a tenant. */
export type TenantChange = typeof TENANT_CHANGES[number];

/** A notification as it was posted: by anybody, as long as its JWT was not validated. */
export interface SentNotification {
  /** As the sender writes it. */
  contextIdentifier: string;
  /** A name, or a number as text, where it is none that is known. */
  change: TenantChange | { unknown: string };
  /** Empty where none was sent. */
  jwt: string;
}

/** What this application is known by, as far as it is known here. */
export interface NotificationAudience {
  loginUrl: string;
  /** The application's client id; undefined where the settings do not name it. */
  clientId?: string | undefined;
}

const LONGEST_NAME = 100;

// PublicEndpoint is not read: an address is believed only from the login host's own answer.
const bodySchema = z.object({
  ContextIdentifier: z.string().min(1).max(LONGEST_NAME).regex(/[\p{L}\p{N}]/u)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u),
  ChangeType: z.union([z.string().max(LONGEST_NAME), z.number().int()]),
  Token: z.string().nullish(),
});

/** Reads the body of a notification, whose type comes as a number or by name; undefined where it is none. */
export function readNotification(body: string): SentNotification | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body.replace(/^\uFEFF/, ""));
  } catch {
    return undefined;
  }
  const { data } = bodySchema.safeParse(json);
  return data && {
    contextIdentifier: data.ContextIdentifier,
    change: changeOf(String(data.ChangeType).trim()),
    jwt: data.Token ?? "",
  };
}

function changeOf(type: string): SentNotification["change"] {
  const isNumber = /^\d+$/.test(type);
  return TENANT_CHANGES.find((name, number) =>
    isNumber ? number === Number(type) : name.toLowerCase() === type.toLowerCase()
  ) ?? { unknown: type };
}

const text = z.string().nullish();
const claimsSchema = z.object({
  iss: z.string(),
  aud: CLAIM_SHAPES.aud.nullish(),
  nbf: CLAIM_SHAPES.seconds.optional(),
  exp: CLAIM_SHAPES.seconds.optional(),
  [`${CLAIM}ctx`]: text,
  [`${CLAIM}serial`]: CLAIM_SHAPES.serial.nullish(),
});

/**
 * Validates the JWT of a notification: signed with RS256 by a key of the login host, and issued by it. SuperOffice does not say
 * what else it holds, so that times, audience and tenant are held to what they say where they are there: an audience is the
 * application's client id or `spn:` with the JWT's own serial, a tenant is the notification's. Without a client id no other
 * audience can be judged, and to refuse it would refuse SuperOffice's own: the signature and the issuer hold all the same.
 * No message quotes its claims, since whoever posts may have written them.
 *
 * Throws `JwtInvalidError` with the check that failed, and what reading the key set throws.
 *
 * @returns whether its audience was judged: not where it is one that takes a client id to judge it by
 *
 * @see "Tenant status webhook",
 * https://docs.superoffice.com/en/developer-portal/best-practices/tenant-status/get-notifications.html
 * @see "Validate security tokens", https://docs.superoffice.com/en/authentication/online/validate-security-tokens.html
 */
export async function validateNotification(
  { contextIdentifier, jwt }: SentNotification,
  { loginUrl, clientId }: NotificationAudience,
  keySet: KeySet,
  now: Date,
): Promise<{ isAudienceJudged: boolean }> {
  const refuse = refusalOf(WHOSE);
  if (jwt === "") throw refuse("the notification holds none");
  const claims = await signedClaims(WHOSE, jwt, claimsSchema, keySet);
  const serial = claims[`${CLAIM}serial`] as string | null | undefined;
  const ctx = claims[`${CLAIM}ctx`] as string | null | undefined;
  const { origin } = new URL(loginUrl);

  if (claims.iss.replace(/\/$/, "") !== origin) throw refuse(`its issuer is not ${origin}`);
  assertItsTime(WHOSE, claims, now);
  if (ctx != null && ctx.toLowerCase() !== contextIdentifier.toLowerCase()) {
    throw refuse("it is for another tenant than the notification");
  }
  const { aud } = claims;
  const isOwn = aud == null || (serial != null && aud.includes(`spn:${serial}`)) ||
    (clientId !== undefined && aud.includes(clientId));
  if (isOwn) return { isAudienceJudged: true };
  // With a serial in it, it says itself that it is for another installation.
  const isForeign = clientId !== undefined || aud.every((name) => name.startsWith("spn:"));
  if (isForeign) throw refuse("it is for another audience than this application");
  return { isAudienceJudged: false };
}

const WHOSE = "The notification's JWT";
