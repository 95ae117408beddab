/** What everything printed or stored goes through. */
export type Redact = (text: string) => string;

const HIDDEN = "[secret]";

// Credentials that are known by their form: tickets, JWTs, signatures of signed system tokens, private keys.
const CREDENTIALS = new RegExp(
  [
    String.raw`\b7T:(?:[^\s"'\\,;<>]|\\u[\da-fA-F]{4}|\\/)+`,
    String.raw`\beyJ[\w-]{8,}(?:\.[\w-]*)*`,
    String.raw`\.\d{12}\.[A-Za-z0-9+/\\]{40,}={0,2}`,
    String.raw`-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*-----)?`,
    String.raw`<(?:D|P|Q|DP|DQ|InverseQ)>[^<]*`,
  ].join("|"),
  "g",
);

/** The secrets to hide; one that was added twice is hidden until it was deleted twice. */
export interface Secrets extends Iterable<string> {
  add(secret: string): unknown;
  delete(secret: string): unknown;
}

export function createSecrets(): Secrets {
  const uses = new Map<string, number>();
  return {
    add: (secret) => uses.set(secret, (uses.get(secret) ?? 0) + 1),
    delete(secret) {
      const left = (uses.get(secret) ?? 0) - 1;
      if (left > 0) uses.set(secret, left);
      else uses.delete(secret);
    },
    [Symbol.iterator]: () => uses.keys(),
  };
}

/** Shorter than this, a secret would be found inside ordinary words. */
const SHORTEST_SECRET = 4;

/**
 * Gives the function that hides secrets: those of `secrets`, as they are or as they stand in JSON and in
 * addresses, and all that has the form of a credential.
 *
 * @param secrets read at each call, so that it may change
 */
export function createRedact(secrets: Iterable<string>): Redact {
  return (text) => {
    let safe = text;
    // The longest first: one may be the beginning of another.
    for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
      if (secret.length < SHORTEST_SECRET) continue;
      for (
        const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]
      ) {
        safe = safe.replaceAll(form, HIDDEN);
      }
    }
    return safe.replace(CREDENTIALS, HIDDEN);
  };
}
