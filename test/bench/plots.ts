// Draws results.json: time for each customer, later polls against the floors, memory.
// Runs on Node: Deno leaves vega out, as it does all optional dependencies.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { Results } from "./results.ts";

const RESULTS = new URL("results.json", import.meta.url);
const FOLDER = new URL("plots/", import.meta.url);

interface Vega {
  parse(spec: unknown): unknown;
  View: new (runtime: unknown, options: { renderer: "none" }) => { toSVG(): Promise<string> };
}

/** Writes one SVG for each plot. */
async function drawPlots(results: Results): Promise<void> {
  const [VEGA, VEGA_LITE] = ["vega", "vega-lite"] as string[];
  const { parse, View }: Vega = await import(VEGA!);
  const { compile }: { compile(spec: unknown): { spec: unknown } } = await import(VEGA_LITE!);
  await mkdir(FOLDER, { recursive: true });
  const plots = {
    "time-per-customer": timePerCustomer(results),
    "later-polls": laterPolls(results),
    "memory": memory(results),
  };
  for (const [name, plot] of Object.entries(plots)) {
    const { spec } = compile({ ...LOOK, ...plot });
    const svg = await new View(parse(spec), { renderer: "none" }).toSVG();
    await writeFile(new URL(`${name}.svg`, FOLDER), `${AS_IT_IS}\n${svg}\n`);
  }
}

const AS_IT_IS = "<!-- deno-fmt-ignore-file -->";

const LOOK = {
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  background: "white",
  padding: 10,
  config: {
    font: "sans-serif",
    title: { anchor: "start", fontSize: 14 },
    view: { stroke: null },
    legend: { labelLimit: 300 },
  },
};

const WAYS = [
  "the published way",
  "first poll",
  "first poll's floor (fetch)",
  "later polls",
  "later polls' floor (fetch)",
  "later polls' fast floor (undici)",
];
const WAY_COLORS = ["#888888", "#9ecae9", "#c6dbef", "#1f6fb4", "#f58518", "#ffbf79"];

function timePerCustomer({ polls, publishedWay }: Results) {
  const onNode = polls.filter(({ runtime }) => runtime === "node");
  const values = onNode.flatMap(({ customers, latencyMs, first, later }) => {
    const published = publishedWay.find((one) => one.latencyMs === latencyMs)?.msEach;
    const all: [string, number | undefined][] = [
      ["first poll", first.ours],
      ["first poll's floor (fetch)", first.floor],
      ["later polls", later.ours],
      ["later polls' floor (fetch)", later.floor],
      ["later polls' fast floor (undici)", later.fastFloor],
    ];
    const latency = `answers after ${latencyMs} ms`;
    return [
      { way: "the published way", customers, latency, ms: published },
      ...all.map(([way, ms]) => ({ way, customers, latency, ms: ms && ms / customers })),
    ].filter(({ ms }) => ms !== undefined);
  });
  return {
    title: "Time for each customer (Node; both scales are logarithmic)",
    data: { values },
    facet: { column: { field: "latency", title: null, header: { labelFontSize: 12 } } },
    spec: {
      width: 300,
      height: 300,
      mark: { type: "line", point: { size: 60 }, strokeWidth: 2 },
      encoding: {
        x: {
          field: "customers",
          type: "quantitative",
          scale: { type: "log", nice: false },
          axis: { title: "customers", format: ",", values: numbersOf(values, "customers") },
        },
        y: {
          field: "ms",
          type: "quantitative",
          scale: { type: "log" },
          axis: { title: "ms for each customer", format: "~g", tickCount: 5 },
        },
        color: {
          field: "way",
          sort: WAYS,
          scale: { domain: WAYS, range: WAY_COLORS },
          title: null,
        },
      },
    },
  };
}

function laterPolls({ polls }: Results) {
  const most = Math.max(
    ...polls.filter(({ latencyMs }) => latencyMs === 0).map(({ customers }) => customers),
  );
  const ways = ["floor (fetch)", "this project", "fast floor (undici)"];
  const values = polls
    .filter(({ customers, latencyMs }) => customers === most && latencyMs === 0)
    .flatMap(({ runtime, later }) => [
      { runtime, way: ways[0], ms: later.floor },
      { runtime, way: ways[1], ms: later.ours },
      { runtime, way: ways[2], ms: later.fastFloor },
    ]);
  return {
    title: `A later poll of ${most.toLocaleString("en")} customers, answers at once`,
    data: { values },
    width: 420,
    height: { step: 26 },
    encoding: {
      y: {
        field: "runtime",
        type: "nominal",
        sort: ["node", "deno"],
        title: null,
        axis: { labelFontSize: 12 },
      },
      yOffset: { field: "way", type: "nominal", sort: ways },
      x: { field: "ms", type: "quantitative", title: "ms for a poll" },
      color: {
        field: "way",
        type: "nominal",
        sort: ways,
        scale: { domain: ways, range: ["#f58518", "#1f6fb4", "#ffbf79"] },
        title: null,
      },
    },
    layer: [
      { mark: "bar" },
      {
        mark: { type: "text", align: "left", dx: 4 },
        encoding: { text: { field: "ms", format: ",.0f" }, color: { value: "black" } },
      },
    ],
  };
}

function memory({ memory: values }: Results) {
  return {
    title: "Peak resident memory of the console",
    data: { values },
    width: 420,
    height: 240,
    mark: { type: "line", point: { size: 60 }, strokeWidth: 2 },
    encoding: {
      x: {
        field: "customers",
        type: "quantitative",
        scale: { type: "log", nice: false },
        axis: { title: "customers", format: ",", values: numbersOf(values, "customers") },
      },
      y: { field: "peakMb", type: "quantitative", title: "MB" },
      color: { field: "runtime", type: "nominal", sort: ["node", "deno"], title: null },
    },
  };
}

function numbersOf<K extends string>(values: Record<K, number>[], key: K): number[] {
  return [...new Set(values.map((one) => one[key]))];
}

await drawPlots(JSON.parse(await readFile(RESULTS, "utf8")));
