/** What is measured: customers, latencies, repetitions. */
export interface Plan {
  scenarios: Scenario[];
  publishedWay: { latencyMs: number; customers: number }[];
  signing: { seconds: number; rounds: number };
  memoryCustomers: number[];
  roundTrips: { customers: number; latencyMs: number }[];
  startUps: number;
}

export interface Scenario {
  customers: number;
  latencyMs: number;
  /** How often all is done anew, each time in new processes. */
  rounds: number;
  /** How many polls follow the first one; the later half of them counts, since code gets faster when it has run. */
  laterPolls: number;
  /** Whether the floors are measured, too. */
  floors: boolean;
}

/** Fixed, so that the floors and the console do the same. */
export const CONCURRENCY = 32;

export const fullPlan: Plan = {
  scenarios: [
    { customers: 100, latencyMs: 0, rounds: 3, laterPolls: 20, floors: true },
    { customers: 1_000, latencyMs: 0, rounds: 3, laterPolls: 8, floors: true },
    { customers: 10_000, latencyMs: 0, rounds: 3, laterPolls: 6, floors: true },
    { customers: 100, latencyMs: 50, rounds: 1, laterPolls: 6, floors: true },
    { customers: 1_000, latencyMs: 50, rounds: 1, laterPolls: 2, floors: true },
    // A quarter of a minute a poll, and the floors would only say the same.
    { customers: 10_000, latencyMs: 50, rounds: 1, laterPolls: 2, floors: false },
  ],
  publishedWay: [{ latencyMs: 0, customers: 200 }, { latencyMs: 50, customers: 50 }],
  signing: { seconds: 3, rounds: 3 },
  memoryCustomers: [1_000, 10_000, 100_000],
  roundTrips: [{ customers: 10_000, latencyMs: 0 }, { customers: 10_000, latencyMs: 50 }],
  startUps: 5,
};

/** The same code with small numbers. */
export const quickPlan: Plan = {
  scenarios: [
    { customers: 50, latencyMs: 0, rounds: 1, laterPolls: 2, floors: true },
    { customers: 200, latencyMs: 0, rounds: 1, laterPolls: 2, floors: true },
    { customers: 50, latencyMs: 50, rounds: 1, laterPolls: 1, floors: false },
  ],
  publishedWay: [{ latencyMs: 0, customers: 20 }, { latencyMs: 50, customers: 5 }],
  signing: { seconds: 1, rounds: 1 },
  memoryCustomers: [50, 200],
  roundTrips: [{ customers: 200, latencyMs: 0 }],
  startUps: 1,
};

/** A beat that a poll fits into. */
export function beatSeconds(customers: number, latencyMs: number): number {
  const waitingMs = customers / CONCURRENCY * latencyMs;
  return Math.ceil(0.3 * customers + 1.3 * waitingMs + 250) / 1000;
}
