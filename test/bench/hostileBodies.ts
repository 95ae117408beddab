// Answers that are meant to do harm: as long as the console reads at all, nested, of the right form with the wrong contents.
import type { Misbehaviour, Place } from "../../fixtures/standIn.ts";

/** The longest answer that the console reads. */
const MOST_BYTES = 1024 * 1024;

/** The right form of an answer that the tenant's own would have, with something of any length in it. */
const SHAPES: Record<Place, (contextIdentifier: string, filling: string) => string> = {
  state: (id, filling) =>
    `{"ContextIdentifier":"${id}","State":"${filling}","IsRunning":false,"Api":null}`,
  exchange: (_, filling) =>
    `{"IsSuccessful":false,"Token":"${filling.slice(1)}","ErrorMessage":"${filling.slice(1)}"}`,
  call: (id, filling) =>
    `{"Associate":"${filling}","AssociateId":7,"DatabaseContextIdentifier":"${id}"}`,
  keys: (_, filling) => `{"keys":[{"kty":"${filling}"}]}`,
};

const fill = (piece: string, bytes = MOST_BYTES) =>
  piece.repeat(Math.floor(bytes / Buffer.byteLength(piece)));
const room = MOST_BYTES - 200;

/** Each is a body, or makes one for a place and a tenant; made when it is asked for, since each is a megabyte. */
const BODIES: ((place: Place, contextIdentifier: string) => string)[] = [
  () => fill("[", MOST_BYTES / 2) + fill("]", MOST_BYTES / 2),
  () => fill('{"a":', room / 2) + "1" + fill("}", room / 12),
  () => fill("["),
  () => `[${fill("1,", room)}1]`,
  () => `[${fill('{"a":[{}]},', room)}1]`,
  () => `{${fill('"__proto__":{"a":1},', room)}"constructor":1}`,
  () => `{${Array.from({ length: 60_000 }, (_, index) => `"k${index}":${index}`).join(",")}}`,
  () => fill("<"),
  () => fill("<p>&nbsp;\r\n"),
  () => fill(" "),
  () => `"${fill("\\u0000", room)}"`,
  () => `"${fill("\\ud83d", room)}"`,
  () => fill("\u{1F9E8}"),
  (place, id) => SHAPES[place](id, fill("x", room / 2)),
  (place, id) => SHAPES[place](id, fill("\\u001b[31m\\u202e", room / 2)),
  (place, id) => SHAPES[place](id, fill("token=secret ", room / 2)),
  (place, id) =>
    SHAPES[place](id, "x").replace(/}$/, `,"More":${fill("[", room / 2)}${fill("]", room / 2)}}`),
  () => `{"IsSuccessful":true,"Token":"${fill("eyJh", room / 2)}.${fill("eyJh", room / 2)}.x"}`,
];

/** The body of that number, beginning anew after the last, as a good answer or as an error page. */
export function hostileBody(
  number: number,
  place: Place,
  contextIdentifier: string,
): Misbehaviour {
  const status = number % 5 === 4 ? 500 : 200;
  return { status, body: BODIES[number % BODIES.length]!(place, contextIdentifier) };
}
