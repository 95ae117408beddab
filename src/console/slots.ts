/** Places for so much work at once; what comes when all are taken waits in line. */
export interface Slots {
  /** Takes a place, as soon as there is one. */
  take(): Promise<void>;
  /** Gives a place back. */
  free(): void;
}

export function createSlots(count: number): Slots {
  const inLine: (() => void)[] = [];
  let left = count;
  return {
    async take() {
      if (left > 0) left--;
      else await new Promise<void>((resolve) => inLine.push(resolve));
    },
    free() {
      const next = inLine.shift();
      if (next === undefined) left++;
      else next();
    },
  };
}
