import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { runConsole, startConsole } from "./support/childConsole.ts";
import { fillTable, makeTenants, settingsFor } from "./support/sampleTenants.ts";
import { startTestStandIn } from "./support/testStandIn.ts";
import { testDatabases } from "./support/testDatabase.ts";

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  attributes: { key: string; value: { stringValue?: string } }[];
  status: { code?: number; message?: string };
}

/** An OTLP collector that keeps what it gets. */
async function startCollector() {
  const spans: Span[] = [];
  const counts = new Map<string, number>();
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    const body = JSON.parse(text);
    for (const { scopeSpans } of body.resourceSpans ?? []) {
      for (const scope of scopeSpans) spans.push(...scope.spans);
    }
    for (const { scopeMetrics } of body.resourceMetrics ?? []) {
      for (const scope of scopeMetrics) {
        for (const { name, sum } of scope.metrics) {
          counts.set(name, sum.dataPoints.at(-1).asDouble ?? Number(sum.dataPoints.at(-1).asInt));
        }
      }
    }
    response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    counts,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

test("where a collector is named, it gets a span for poll, customer and step, and the counters", async () => {
  const database = await testDatabases[0]!.start();
  const tenants = makeTenants(3);
  const standIn = await startTestStandIn(tenants);
  standIn.tenants.get("cust10002")!.state = "Suspended";
  standIn.misbehave({ at: "call", how: { status: 403 }, contextIdentifier: "Cust10003" });
  await fillTable(database.sql, tenants);
  const collector = await startCollector();
  const { output } = await runConsole(["--once"], {
    ...settingsFor(standIn, database.databaseUrl),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  });
  assert.match(output, /1 logged on, 1 skipped, 1 failed/);

  const named = (name: string) => collector.spans.filter((span) => span.name === name);
  const [poll] = named("poll");
  const customers = named("customer");
  assert.equal(customers.length, 3);
  assert.ok(customers.every(({ parentSpanId }) => parentSpanId === poll?.spanId));
  const ids = customers.map(({ spanId }) => spanId);
  for (const step of ["token exchanged for a ticket", "tenant called"]) {
    assert.equal(named(step).length, 2, step);
    assert.ok(named(step).every(({ parentSpanId }) => ids.includes(parentSpanId ?? "")));
  }
  assert.ok(collector.spans.every(({ traceId }) => traceId === poll?.traceId));
  const codes = customers.flatMap(({ attributes }) =>
    attributes.filter(({ key }) => key === "error.type").map(({ value }) => value.stringValue)
  );
  assert.deepEqual(codes.sort(), ["FORBIDDEN", "TENANT_NOT_RUNNING"]);
  assert.deepEqual(Object.fromEntries(collector.counts), {
    "customers.logged_on": 1,
    "customers.skipped": 1,
    "customers.failed": 1,
    "exchanges": 2,
    "calls": 2,
  });
  await collector.close();
  await standIn.close();
  await database.close();
});

test("a collector that is gone neither stops the console nor keeps it from stopping", async () => {
  const standIn = await startTestStandIn([]);
  const child = startConsole([], {
    ...settingsFor(standIn, "postgres://postgres@127.0.0.1:1/none"),
    POLL_SECONDS: "0.2",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
  });
  await child.waitFor(/Poll broken off/, 3);
  child.signal("SIGTERM");
  assert.equal(await child.ended, 0);
  await standIn.close();
});
