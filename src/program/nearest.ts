/** A name, and in how many letters it differs from another. */
interface Near {
  name: string;
  distance: number;
}

const MOST_NAMES = 3;

/** The names that are most like a given one, at most three, the nearest first; none that shares less than half with it. */
export async function nearestOf(
  given: string,
  pages: AsyncIterable<string[]>,
): Promise<string[]> {
  let nearest: Near[] = [];
  for await (const names of pages) {
    const near = names.filter((name) => isFew(Math.abs(given.length - name.length), given, name))
      .map((name) => ({ name, distance: slipsBetween(given, name) }))
      .filter(({ name, distance }) => isFew(distance, given, name));
    nearest = [...nearest, ...near].sort((a, b) => a.distance - b.distance).slice(0, MOST_NAMES);
  }
  return nearest.map(({ name }) => name);
}

/** Whether so many letters are at most half of them. */
function isFew(letters: number, one: string, other: string): boolean {
  return letters <= Math.max(one.length, other.length) / 2;
}

/** The one among `names` that is written almost like `text`, without regard to case; undefined where none is. */
export function nearest(text: string, names: string[]): string | undefined {
  const [best] = names.map((name) => ({ name, slips: slipsBetween(text, name) }))
    .filter(({ name, slips }) => slips <= mostSlips(name)).sort((a, b) => a.slips - b.slips);
  return best?.name;
}

/** In a short name, one slip can make another word of it. */
function mostSlips({ length }: string): number {
  return length < 6 ? 0 : length < 12 ? 1 : 2;
}

/** How many letters have to be added, left out, replaced, or swapped with the next one to make one of the other. */
function slipsBetween(one: string, other: string): number {
  const [a, b] = [one.toUpperCase(), other.toUpperCase()];
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        last[j]! + 1,
        row[j - 1]! + 1,
        last[j - 1]! + (isSame ? 0 : 1),
        isSwapped ? beforeLast[j - 2]! + 1 : Infinity,
      );
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length]!;
}
