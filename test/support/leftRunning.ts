// What a failed test leaves running is ended with its file, which would else not end at all.
import { after } from "node:test";

const endings = new Set<() => unknown>();

after(() => Promise.allSettled([...endings].map((end) => end())));

/** Gives `end` back so that it is called once: by the test, or else when the file's tests are over. */
export function endWithFile(end: () => unknown): () => Promise<void> {
  async function endOnce(): Promise<void> {
    if (endings.delete(endOnce)) await end();
  }
  endings.add(endOnce);
  return endOnce;
}
