/** Places for so much work at once; what comes when all are taken waits in line. */
export interface Slots {
  /** Takes a place, as soon as there is one. */
  take(): Promise<void>;
  /** Gives a place back. */
  free(): void;
  /** Has so many places from now on. Where more are taken, nobody else gets one until enough were given back. */
  resize(count: number): void;
  /** Whether somebody waits in line. */
  isCrowded(): boolean;
}

export function createSlots(count: number): Slots {
  const inLine: (() => void)[] = [];
  let places = count;
  let left = count;

  function letIn(): void {
    while (left > 0 && inLine.length > 0) {
      left--;
      inLine.shift()!();
    }
  }

  return {
    async take() {
      if (left > 0) left--;
      else await new Promise<void>((resolve) => inLine.push(resolve));
    },
    free() {
      left++;
      letIn();
    },
    resize(count) {
      left += count - places;
      places = count;
      letIn();
    },
    isCrowded: () => inLine.length > 0,
  };
}
