import { cutBetweenWords } from "../superoffice/http.ts";
import { readingsOf } from "./decoded.ts";
import type { KnownSecrets } from "./knownSecrets.ts";
import { printable } from "./printable.ts";

/**
 * What everything that is printed or stored goes through: hides secrets in whatever form, and leaves no control character and
 * no mark that breaks or reorders a line.
 */
export interface Redact {
  (text: string): string;
  /** The same for a text of our own that has several lines. */
  lines(text: string): string;
}

const HIDDEN = "[secret]";
/** A text of a megabyte is nobody's to read, and would keep the others waiting. */
const MOST_LETTERS = 20_000;
/** What hides secrets in each other more often than this is not shown at all. */
const MOST_LAYERS = 8;

// Credentials that are known by their form: tickets, JWTs, signatures of signed system tokens, private keys.
const FORMS = [
  String.raw`\b7T:(?:[^\s"'\\,;<>»]|\\u[\da-fA-F]{4}|\\/)+`,
  String.raw`\beyJ[\w-]{8,}(?:\.[\w-]*)*`,
  String.raw`\.\d{12}\.[A-Za-z0-9+/\\]{40,}={0,2}`,
  String.raw`-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*-----)?`,
  String.raw`<(?:D|P|Q|DP|DQ|InverseQ)>[A-Za-z0-9+/=\s\\]{16,}`,
].join("|");
const CREDENTIAL = new RegExp(FORMS);
const CREDENTIALS = new RegExp(FORMS, "g");

/** What may be Base64; a secret's piece is recognised wherever it begins. */
const BASE64 = /[A-Za-z0-9+/_-]{12,}={0,2}/g;
const BASE64_PHASES = [0, 1, 2, 3];

/**
 * Gives the function that hides the secrets, and all that has the form of a credential: as they are, and as they stand in JSON,
 * addresses, HTML and Base64.
 *
 * @param secrets asked at each call, since customers come and go
 */
export function createRedact(secrets: KnownSecrets): Redact {
  const holdsSecret = (text: string) => CREDENTIAL.test(text) || secrets.findIn(text).length > 0;

  function hide(text: string, layer: number): string {
    // The longest first: one may be the beginning of another.
    const plain = secrets.findIn(text).sort((a, b) => b.length - a.length)
      .reduce((text, secret) => text.replaceAll(secret, HIDDEN), text)
      .replace(CREDENTIALS, HIDDEN);
    for (const reading of readingsOf(plain)) {
      if (!holdsSecret(reading) && reading.replace(BASE64, hideBase64) === reading) continue;
      return layer < MOST_LAYERS ? hide(reading, layer + 1) : HIDDEN;
    }
    return plain.replace(BASE64, hideBase64);
  }

  function hideBase64(run: string): string {
    const isOne = BASE64_PHASES.some((phase) =>
      holdsSecret(Buffer.from(run.slice(phase), "base64").toString())
    );
    return isOne ? HIDDEN : run;
  }

  return Object.assign((text: string) => printable(hide(cutBetweenWords(text, MOST_LETTERS), 0)), {
    lines: (text: string) => hide(text, 0).split("\n").map(printable).join("\n"),
  });
}
