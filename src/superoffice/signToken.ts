/**
 * Signs bytes with RSASSA-PKCS1-v1_5 and SHA-256 and gives the signature's bytes.
 * A function, so that the key can stay in an HSM or a cloud key vault: write one that asks the vault.
 */
export type Signer = (data: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

/**
 * A {@link Signer} for a WebCrypto private key that may be used to sign with RSASSA-PKCS1-v1_5 and SHA-256.
 *
 * @example
 * ```ts
 * const sign = createSigner(await importPrivateKey(await readFile("private-key.xml", "utf8")));
 * ```
 */
export function createSigner(privateKey: CryptoKey): Signer {
  return async (data) =>
    new Uint8Array(await crypto.subtle.sign("RSASSA-PKCS1-v1_5", privateKey, data));
}

/**
 * Gives the signed system token that the exchange takes:
 * `<system user token>.<yyyyMMddHHmm in UTC>.<Base64 of the signature over all before the last dot>`.
 * It holds for the minute of `now`, so sign just before each exchange. The result is a secret.
 *
 * Throws what the signer throws.
 *
 * @example
 * ```ts
 * const signed = await signToken("My App-pzqc70604i", createSigner(privateKey), new Date());
 * ```
 *
 * @see "How to sign a system user token",
 * https://docs.superoffice.com/en/authentication/online/auth-application/sign-system-user-token.html
 */
export async function signToken(
  systemUserToken: string,
  sign: Signer,
  now: Date,
): Promise<string> {
  const utcMinute = now.toISOString().replace(/\D/g, "").slice(0, "yyyyMMddHHmm".length);
  const signedPart = `${systemUserToken}.${utcMinute}`;
  const signature = await sign(new TextEncoder().encode(signedPart));
  return `${signedPart}.${btoa(String.fromCharCode(...signature))}`;
}
