/**
 * Asks for many at once: what is asked for within a moment goes together.
 *
 * @param ask gives an answer for each of the keys that has one
 * @param lingerMs how long a question waits for others, in milliseconds
 */
export function gathered<Answer>(
  ask: (keys: string[]) => Promise<Map<string, Answer>>,
  lingerMs: number,
): (key: string) => Promise<Answer | undefined> {
  let gathering: { keys: Set<string>; answers: Promise<Map<string, Answer>> } | undefined;
  return async (key) => {
    if (gathering === undefined) {
      const keys = new Set<string>();
      const answers = new Promise<void>((resolve) => setTimeout(resolve, lingerMs)).then(() => {
        gathering = undefined;
        return ask([...keys]);
      });
      gathering = { keys, answers };
    }
    const { keys, answers } = gathering;
    keys.add(key);
    return (await answers).get(key);
  };
}
