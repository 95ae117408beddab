// The table of what was to be reached, filled in.
import type { RuntimeName } from "./runtimes.ts";
import type { Results } from "./results.ts";

interface Row {
  what: string;
  target: string;
  measured: string;
}

export function reachTable(results: Results): string {
  const rows = reachRows(results).map(({ what, target, measured }) =>
    `| ${what} | ${target} | ${measured} |`
  );
  return ["| | reach | measured |", "|---|---|---|", ...rows].join("\n");
}

function reachRows({ polls, publishedWay, signing, memory, roundTrips, startUp }: Results): Row[] {
  const counts = polls.filter(({ latencyMs }) => latencyMs === 0).map(({ customers }) => customers);
  const fewest = Math.min(...counts);
  const most = Math.max(...counts);
  const some = counts.includes(1000) ? 1000 : most;
  const at = (runtime: RuntimeName, customers: number, latencyMs = 0) =>
    polls.find((one) =>
      one.runtime === runtime && one.customers === customers && one.latencyMs === latencyMs
    );
  const both = (figure: (runtime: RuntimeName) => number | undefined, digits = 2) =>
    (["node", "deno"] as const).map((name) => `${name} ${rounded(figure(name), digits)}`).join(
      ", ",
    );
  const msEach = (runtime: RuntimeName, customers: number, latencyMs = 0) =>
    (at(runtime, customers, latencyMs)?.later.ours ?? NaN) / customers;

  const slow = publishedWay.find(({ latencyMs }) => latencyMs > 0);
  const slowMost = Math.max(
    ...polls.filter(({ latencyMs }) => latencyMs > 0).map(({ customers }) => customers),
  );
  const mb = (runtime: RuntimeName, customers: number) =>
    memory.find((one) => one.runtime === runtime && one.customers === customers)?.peakMb ?? NaN;
  const held = memory.map(({ customers }) => customers);
  const [least, largest] = [Math.min(...held), Math.max(...held)];
  const number = (count: number) => count.toLocaleString("en");

  return [
    {
      what: `first poll, ${number(some)} customers, time over the floor's`,
      target: "≤ 1.2",
      measured: both((name) => at(name, some)?.first.overFloor),
    },
    {
      what: `later polls, ${number(most)} customers, time over the floor's`,
      target: "≤ 0.8",
      measured: both((name) => at(name, most)?.later.overFloor),
    },
    {
      what: "the same over the fast floor's",
      target: "≤ 1.6",
      measured: both((name) => at(name, most)?.later.overFastFloor),
    },
    {
      what: `later polls at ${slow?.latencyMs} ms latency, ${number(slowMost)} customers: ` +
        "the published way's time over ours",
      target: "≥ 60",
      measured: both((name) => slow!.msEach / msEach(name, slowMost, slow!.latencyMs), 1) +
        `; where it reads the state, too: ${
          both((name) => slow!.msEachWithState / msEach(name, slowMost, slow!.latencyMs), 1)
        }`,
    },
    {
      what: `time for each customer at ${number(most)} over that at ${number(fewest)}`,
      target: "≤ 1.1",
      measured: both((name) => msEach(name, most) / msEach(name, fewest)),
    },
    {
      what: "signing on Node: openssl's rate over ours",
      target: "≤ 1.1",
      measured: `${rounded(signing.opensslOverNode)} (a second: openssl ${
        number(Math.round(signing.openssl))
      }, node ${number(Math.round(signing.node))}, deno ${number(Math.round(signing.deno))})`,
    },
    {
      what: `resident memory at ${number(largest)} customers, over that at ${number(least)}`,
      target: "≤ +120 MB",
      measured: both((name) => mb(name, largest) - mb(name, least), 0) + " MB",
    },
    ...roundTrips.map(({ customers, latencyMs, first, later }) => ({
      what: `database round trips in a poll of ${number(customers)} customers, ${latencyMs} ms`,
      target: "≤ 30",
      measured: `later polls ${later}, first poll ${first}`,
    })),
    {
      what: "first log line after `npx tsx src/main.ts` with real settings",
      target: "≤ 0.7 s",
      measured: `${seconds(startUp.npxTsx)} (npx and tsx alone, with an empty program: ${
        seconds(startUp.npxTsxOfNothing)
      }; node --import tsx: ${seconds(startUp.nodeWithTsx)}; deno task start: ${
        seconds(startUp.denoTask)
      })`,
    },
    {
      what: "after `node` with built-in type stripping",
      target: "≤ 0.3 s",
      measured: startUp.nodeStrippingTypes === null
        ? "not measured: name such a Node in BENCH_STRIPPING_NODE"
        : seconds(startUp.nodeStrippingTypes),
    },
    {
      what: "demo's first customer, after the install",
      target: "≤ 2.5 s",
      measured: `node ${seconds(startUp.demoOnNode)}, deno ${seconds(startUp.demoOnDeno)}`,
    },
  ];
}

function rounded(value: number | undefined, digits = 2): string {
  return value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits);
}

function seconds(ms: number): string {
  return `${rounded(ms / 1000)} s`;
}
