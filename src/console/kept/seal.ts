// Encrypts what is stored outside this process, and finds out whether it is still what was stored.

type Bytes = Uint8Array<ArrayBuffer>;

/** Seals texts, and opens what was sealed with the same client secret. */
export interface Seal {
  /** Gives the text encrypted, bound to these: it opens with the same ones alone. */
  seal(text: string, boundTo: string[]): Promise<Bytes>;
  /** Gives the text; undefined for what cannot be opened, whatever the reason. */
  open(sealed: Bytes, boundTo: string[]): Promise<string | undefined>;
}

/** A version byte, the nonce, then the ciphertext with its tag. */
const VERSION = 1;
const NONCE_BYTES = 12;
// Once, since a page of customers is opened together.
const encoder = new TextEncoder();
const decoder = new TextDecoder();

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
  const algorithm = (iv: Bytes, boundTo: string[]) => ({
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
      const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
      const encrypted = sealed.subarray(1 + NONCE_BYTES);
      try {
        const opened = await subtle.decrypt(algorithm(nonce, boundTo), key, encrypted);
        return decoder.decode(opened);
      } catch {
        return undefined;
      }
    },
  };
}

function encode(text: string): Bytes {
  return encoder.encode(text);
}
