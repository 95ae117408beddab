const NAMED: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Gives a text as one line that does to a terminal or a file what it says and nothing else: control characters, and marks that
 * break or reorder a line, are written as their codes, as JSON writes them.
 */
export function printable(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (letter) => NAMED[letter] ?? codesOf(letter),
  );
}

function codesOf(letter: string): string {
  // By its halves where it has two, as JSON does.
  return letter.split("").map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}
