import type { Secrets } from "../console/wanted.ts";

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
export interface KnownSecrets extends Secrets, Iterable<string> {}

/** Shorter than this, a secret would be found inside ordinary words. */
const SHORTEST_SECRET = 4;

function formsOf(secret: string): Set<string> {
  return secret.length < SHORTEST_SECRET
    ? new Set()
    : new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]);
}

/** Keeps secrets in the forms in which they may stand in a text: as they are, in JSON, and in addresses. */
export function createSecrets(secrets: Iterable<string> = []): KnownSecrets {
  const uses = new Map<string, number>();
  // Made once for each secret, since encoding takes time.
  const forms = new Map<string, Set<string>>();
  const kept: KnownSecrets = {
    add(secret) {
      const own = forms.get(secret) ?? formsOf(secret);
      forms.set(secret, own);
      for (const form of own) uses.set(form, (uses.get(form) ?? 0) + 1);
    },
    delete(secret) {
      for (const form of forms.get(secret) ?? []) {
        const left = (uses.get(form) ?? 0) - 1;
        if (left > 0) uses.set(form, left);
        else uses.delete(form);
      }
      if (!uses.has(secret)) forms.delete(secret);
    },
    [Symbol.iterator]: () => uses.keys(),
  };
  for (const secret of secrets) kept.add(secret);
  return kept;
}

/**
 * Gives the function that hides secrets: those of `secrets` (see {@link createSecrets}), and all that has the form of a credential.
 *
 * @param secrets asked at each call, since customers come and go
 */
export function createRedact(secrets: Iterable<string>): Redact {
  return (text) => {
    const found: string[] = [];
    for (const form of secrets) if (text.includes(form)) found.push(form);
    // The longest first: one may be the beginning of another.
    const safe = found.sort((a, b) => b.length - a.length)
      .reduce((text, form) => text.replaceAll(form, HIDDEN), text);
    return safe.replace(CREDENTIALS, HIDDEN);
  };
}
