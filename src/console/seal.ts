// Encrypts what is stored outside this process, and finds out whether it is still what was stored.

/** Seals texts, and opens what was sealed with the same client secret. */
export interface Seal {
  /** Gives the text encrypted, bound to these: it opens with the same ones alone. */
  seal(text: string, boundTo: string[]): Promise<Uint8Array>;
  /** Gives the text; undefined for what cannot be opened, whatever the reason. */
  open(sealed: Uint8Array, boundTo: string[]): Promise<string | undefined>;
}

/** A version byte, the nonce, then the ciphertext with its tag. */
const VERSION = 1;
const NONCE_BYTES = 12;

/**
 * Says what the key is for. A fixed one: all consoles have to come to the same key, and who holds the database must have no say in
 * it. A salt that is by chance would make up for secrets that many share or that can be guessed; a client secret is neither.
 */
const SALT = "system-user-service-console: stored tickets, version 1";

/**
 * Makes a seal from the client secret: AES-256-GCM with a key that HKDF (SHA-256) makes of it, once, and a nonce by chance for each
 * sealing. (By chance the same nonce comes twice among 2^32 of them with odds of 1 to 2^33; it would show the two texts' difference.)
 */
export async function createSeal(clientSecret: string): Promise<Seal> {
  const { subtle } = crypto;
  const secret = await subtle.importKey("raw", encode(clientSecret), "HKDF", false, ["deriveKey"]);
  const key = await subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: encode(SALT), info: new Uint8Array() },
    secret,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
  const algorithm = (iv: Uint8Array<ArrayBuffer>, boundTo: string[]) => ({
    name: "AES-GCM",
    iv,
    // JSON tells ["a", "bc"] from ["ab", "c"].
    additionalData: encode(JSON.stringify([VERSION, ...boundTo])),
  });

  return {
    async seal(text, boundTo) {
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const encrypted = await subtle.encrypt(algorithm(nonce, boundTo), key, encode(text));
      const sealed = new Uint8Array(1 + NONCE_BYTES + encrypted.byteLength);
      sealed[0] = VERSION;
      sealed.set(nonce, 1);
      sealed.set(new Uint8Array(encrypted), 1 + NONCE_BYTES);
      return sealed;
    },
    async open(sealed, boundTo) {
      if (sealed[0] !== VERSION) return undefined;
      const bytes = new Uint8Array(sealed);
      const nonce = bytes.subarray(1, 1 + NONCE_BYTES);
      try {
        const encrypted = bytes.subarray(1 + NONCE_BYTES);
        const opened = await subtle.decrypt(algorithm(nonce, boundTo), key, encrypted);
        return new TextDecoder().decode(opened);
      } catch {
        return undefined;
      }
    },
  };
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
