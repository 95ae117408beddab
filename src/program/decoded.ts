const IS_ENCODED = /%[\da-f]{2}|&#?\w{2,8};|\\[\w"'\\/]|\+/i;

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

const ESCAPES: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** How often a text can have been encoded, one time on top of the other. */
const MOST_LAYERS = 3;

/** Gives a text in all the ways in which it may read when what is encoded in it, as in addresses, forms, HTML or JSON, is not. */
export function* readingsOf(text: string, layers = MOST_LAYERS): Generator<string, void> {
  if (layers === 0 || !IS_ENCODED.test(text)) return;
  for (const decode of [fromAddress, fromForm, fromHtml, fromJson]) {
    const reading = decode(text);
    if (reading === text) continue;
    yield reading;
    yield* readingsOf(reading, layers - 1);
  }
}

function fromAddress(text: string): string {
  return text.replace(
    /(?:%[\da-f]{2})+/gi,
    (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString(),
  );
}

function fromForm(text: string): string {
  return text.includes("+") ? fromAddress(text.replaceAll("+", " ")) : text;
}

function fromHtml(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,6}));/gi,
    (entity, decimal, hex, name) =>
      name === undefined
        ? letterOf(decimal === undefined ? parseInt(hex, 16) : parseInt(decimal))
        : ENTITIES[name.toLowerCase()] ?? entity,
  );
}

function fromJson(text: string): string {
  return text.replace(
    /\\(?:u([\da-f]{4})|x([\da-f]{2})|([bfnrt"'\\/]))/gi,
    (_, four, two, letter) =>
      letter === undefined ? letterOf(parseInt(four ?? two, 16)) : ESCAPES[letter] ?? letter,
  );
}

function letterOf(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
}
