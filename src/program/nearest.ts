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
      .map((name) => ({ name, distance: distanceOf(given, name) }))
      .filter(({ name, distance }) => isFew(distance, given, name));
    nearest = [...nearest, ...near].sort((a, b) => a.distance - b.distance).slice(0, MOST_NAMES);
  }
  return nearest.map(({ name }) => name);
}

/** Whether so many letters are at most half of them. */
function isFew(letters: number, one: string, other: string): boolean {
  return letters <= Math.max(one.length, other.length) / 2;
}

/** How many letters have to be put in, taken out or replaced to make one name the other, whatever their case (Levenshtein). */
function distanceOf(one: string, other: string): number {
  const [from, to] = [one.toLowerCase(), other.toLowerCase()];
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let line = 1; line <= from.length; line++) {
    const next = [line];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[line - 1] === to[column - 1];
      next[column] = Math.min(
        row[column]! + 1,
        next[column - 1]! + 1,
        row[column - 1]! + (isSame ? 0 : 1),
      );
    }
    row = next;
  }
  return row[to.length]!;
}
