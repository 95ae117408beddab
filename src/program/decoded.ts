const IS_ENCODED = /%[\da-f]{2}|&#?\w{2,8};|\\[ux"\\/]|\+/i;

const ENTITIES: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  colon: ":",
  sol: "/",
  plus: "+",
  equals: "=",
};

/**
 * Gives a text as it reads when what is encoded in it, as in addresses, HTML or JSON, is not: none when nothing is, and a second
 * reading where a plus may stand for a blank, as in forms.
 */
export function decoded(text: string): string[] {
  if (!IS_ENCODED.test(text)) return [];
  const readings = [text, ...(text.includes("+") ? [text.replaceAll("+", " ")] : [])];
  return readings.map(decode).filter((reading) => reading !== text);
}

function decode(text: string): string {
  return text
    .replace(/(?:%[\da-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString())
    .replace(/&#(\d{1,7});/g, (_, code) => letterOf(parseInt(code)))
    .replace(/&#x([\da-f]{1,6});/gi, (_, code) => letterOf(parseInt(code, 16)))
    .replace(/&([a-z]+);/gi, (entity, name) => ENTITIES[name.toLowerCase()] ?? entity)
    .replace(
      /\\u([\da-f]{4})|\\x([\da-f]{2})/gi,
      (_, four, two) => letterOf(parseInt(four ?? two, 16)),
    )
    .replace(/\\(["\\/])/g, "$1");
}

function letterOf(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
}
