// What a failed test leaves running is ended with its file, which would else not end at all.
import { after } from "node:test";

const endings = new Set<() => unknown>();

/** What is broken may not end by itself. */
const PATIENCE_MS = 5000;

after(async () => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const enough = new Promise((resolve) => timer = setTimeout(resolve, PATIENCE_MS));
  await Promise.race([Promise.allSettled([...endings].map((end) => end())), enough]);
  clearTimeout(timer);
});

/** Gives `end` back so that it is called once: by the test, or else when the file's tests are over. */
export function endWithFile(end: () => unknown): () => Promise<void> {
  async function endOnce(): Promise<void> {
    if (endings.delete(endOnce)) await end();
  }
  endings.add(endOnce);
  return endOnce;
}
