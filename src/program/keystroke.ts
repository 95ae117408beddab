/** One Ctrl-C can arrive several times: from the terminal, and from npm, tsx and deno, which pass it on. */
export const SAME_KEYSTROKE_MS = 300;

/** A signal that asks to stop, and when it came, in milliseconds of a clock that is never set back. */
export interface Keystroke {
  name: NodeJS.Signals;
  at: number;
}

/** Whether a later signal is the first one once more, and no other will. */
export function isSameKeystroke(first: Keystroke, later: Keystroke): boolean {
  return later.name === first.name && later.at - first.at <= SAME_KEYSTROKE_MS;
}
