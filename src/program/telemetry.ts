import type { Proxies } from "../console/requests/proxies.ts";
import type { Counter, Telemetry } from "../console/wanted.ts";
import type { Redact } from "./redact.ts";

/** Telemetry that is being sent. */
export interface OpenTelemetry extends Telemetry {
  /** Sends what is left. */
  close(): Promise<void>;
}

/** How long a stop waits for the collector. */
const LAST_SENDING_MS = 1000;

const NAME = "system-user-service-console";

/**
 * Sends traces and metrics by OTLP over HTTP to where `OTEL_EXPORTER_OTLP_ENDPOINT` says. On Deno with
 * `OTEL_DENO=true` its built-in support sends them.
 *
 * @param proxies undefined where the collector is asked directly
 *
 * @see https://opentelemetry.io/docs/languages/sdk-configuration/otlp-exporter/
 */
export async function openTelemetry(
  usesDeno: boolean,
  redact: Redact,
  proxies: Proxies | undefined,
): Promise<OpenTelemetry> {
  const { metrics, SpanStatusCode, trace } = await import("@opentelemetry/api");
  const close = usesDeno ? () => Promise.resolve() : await startSdk(proxies);
  const tracer = trace.getTracer(NAME);
  const meter = metrics.getMeter(NAME);
  const counters = new Map<Counter, ReturnType<typeof meter.createCounter>>();

  return {
    span: (name, attributes, work, failureOf) =>
      tracer.startActiveSpan(name, { attributes }, async (span) => {
        const fail = (error: unknown) => {
          const { code, message } = error as { code?: string; message: string };
          if (code !== undefined) span.setAttribute("error.type", code);
          span.setStatus({ code: SpanStatusCode.ERROR, message: redact(message) });
        };
        try {
          const result = await work();
          const failure = failureOf?.(result);
          if (failure !== undefined) fail(failure);
          return result;
        } catch (error) {
          fail(error);
          throw error;
        } finally {
          span.end();
        }
      }),
    count(name) {
      let counter = counters.get(name);
      if (counter === undefined) counters.set(name, counter = meter.createCounter(name));
      counter.add(1);
    },
    close,
  };
}

/** Starts the SDK of Node, and gives what stops it. */
async function startSdk(proxies: Proxies | undefined): Promise<() => Promise<void>> {
  const [api, context, traces, spans, meters, readings, resources] = await Promise.all([
    import("@opentelemetry/api"),
    import("@opentelemetry/context-async-hooks"),
    import("@opentelemetry/sdk-trace-base"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/sdk-metrics"),
    import("@opentelemetry/exporter-metrics-otlp-http"),
    import("@opentelemetry/resources"),
  ]);
  const options = proxies === undefined ? {} : {
    httpAgentOptions: (await import("./tunnelAgents.ts")).tunnelAgents(proxies),
  };
  const resource = resources.resourceFromAttributes({ "service.name": NAME })
    .merge(resources.detectResources({ detectors: [resources.envDetector] }));
  const tracers = new traces.BasicTracerProvider({
    resource,
    spanProcessors: [new traces.BatchSpanProcessor(new spans.OTLPTraceExporter(options))],
  });
  const metering = new meters.MeterProvider({
    resource,
    readers: [
      new meters.PeriodicExportingMetricReader({
        exporter: new readings.OTLPMetricExporter(options),
      }),
    ],
  });
  api.context.setGlobalContextManager(new context.AsyncLocalStorageContextManager().enable());
  api.trace.setGlobalTracerProvider(tracers);
  api.metrics.setGlobalMeterProvider(metering);
  return async () => {
    // A collector that is gone must not keep the console from stopping.
    const sent = Promise.allSettled([tracers.shutdown(), metering.shutdown()]);
    await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, LAST_SENDING_MS))]);
  };
}
