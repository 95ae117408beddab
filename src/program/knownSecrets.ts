import type { Secrets } from "../console/wanted.ts";
import { isOwnWord } from "./ownWords.ts";

/**
 * The secrets to hide; one that was added twice is hidden until it was deleted twice. A word of the program's own is none, nor
 * is what has fewer than four letters.
 */
export interface KnownSecrets extends Secrets {
  /** Those that stand in a text. */
  findIn(text: string): string[];
}

/** Shorter than this, a secret would be found inside ordinary words. */
const SHORTEST_SECRET = 4;

/** Keeps secrets by their last letters, so that a text is searched once, however many they are. */
export function createSecrets(secrets: Iterable<string> = []): KnownSecrets {
  const byEnding = new Map<number, Map<string, number>>();
  const known: KnownSecrets = {
    add(secret) {
      if (secret.length < SHORTEST_SECRET || isOwnWord(secret)) return;
      const ending = endingAt(secret, secret.length - 1);
      const uses = byEnding.get(ending) ?? new Map<string, number>();
      byEnding.set(ending, uses.set(secret, (uses.get(secret) ?? 0) + 1));
    },
    delete(secret) {
      const ending = endingAt(secret, secret.length - 1);
      const uses = byEnding.get(ending);
      const left = (uses?.get(secret) ?? 0) - 1;
      if (left > 0) uses?.set(secret, left);
      else if (uses?.delete(secret) && uses.size === 0) byEnding.delete(ending);
    },
    findIn(text) {
      const found: string[] = [];
      for (let at = SHORTEST_SECRET - 1; at < text.length; at++) {
        const uses = byEnding.get(endingAt(text, at));
        if (uses === undefined) continue;
        for (const secret of uses.keys()) {
          if (text.startsWith(secret, at + 1 - secret.length)) found.push(secret);
        }
      }
      return found;
    },
  };
  for (const secret of secrets) known.add(secret);
  return known;
}

/** A number for the three letters that end at a place; two that share it are told apart later. */
function endingAt(text: string, at: number): number {
  return (text.charCodeAt(at - 2) * 31 + text.charCodeAt(at - 1)) * 31 + text.charCodeAt(at);
}
