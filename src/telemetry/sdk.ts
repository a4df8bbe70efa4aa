/**
 * The OpenTelemetry SDK and its instrumentations, in this file and no other: it is loaded only when `OTEL_*` asks, and what is behind it
 * may be swapped. Knows nothing of requests and commands: they use the tracer.
 */
import http from 'node:http';
import https from 'node:https';
import { DiagLogLevel, diag, type Tracer } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { FastifyInstrumentation } from '@opentelemetry/instrumentation-fastify';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  type MetricProducer,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import type { TelemetrySettings } from '../config/telemetry-settings.js';
import { metricPoints } from './metric-points.js';
import type { Exposition } from './prometheus.js';
import { SpanCounts } from './span-exporting.js';

/** Our name where `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say none, and that of our tracer. */
const SERVICE_NAME = 'execwire';

export interface SdkOptions {
  readonly settings: TelemetrySettings;
  readonly version: string;
  /** What the SDK has to say, such as that a receiver cannot be reached. */
  readonly onProblem: (problem: string) => void;
}

/** A started SDK. */
export interface Sdk {
  /** Undefined when only metrics are asked for. */
  readonly tracer: Tracer | undefined;
  readonly spans: SpanCounts;
  /** Sends metrics from now on, if they are asked for. */
  exportMetrics(exposition: Exposition): void;
  /** The constructor whose apps make spans. */
  instrumentFastify<F>(fastify: F): F;
  /** Sends what is left, for so many milliseconds at most. */
  shutdown(timeoutMs: number): Promise<void>;
}

/** Starts it. Everything the settings do not name is read from `OTEL_*` by the SDK itself: endpoints, headers, sampler, limits. */
export function startSdk({ settings, version, onProblem }: SdkOptions): Sdk {
  const quiet = (): void => {};
  diag.setLogger({ error: onProblem, warn: onProblem, info: quiet, debug: quiet, verbose: quiet }, DiagLogLevel.WARN);
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': SERVICE_NAME, 'service.version': version }))
    .merge(detectResources({ detectors: [envDetector] }));
  const spans = new SpanCounts();
  const closing: Array<() => Promise<void>> = [];

  let provider: NodeTracerProvider | undefined;
  if (settings.traces) {
    const { maxQueuedSpans } = settings;
    const batches = new BatchSpanProcessor(spans.exporting(new OTLPTraceExporter()), { maxQueueSize: maxQueuedSpans });
    provider = new NodeTracerProvider({ resource, spanProcessors: [spans.counting(batches, maxQueuedSpans)] });
    provider.register();
    closing.push(provider.shutdown.bind(provider));
  }
  const instrumented = provider === undefined ? undefined : instrument(provider);

  return {
    tracer: provider?.getTracer(SERVICE_NAME, version),
    spans,
    instrumentFastify: (fastify) => instrumented?.(fastify) ?? fastify,
    exportMetrics(exposition) {
      if (!settings.metrics) return;
      const reader = new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter(),
        metricProducers: [producerOf(exposition, version)],
        exportIntervalMillis: settings.metricIntervalMs,
        exportTimeoutMillis: settings.metricIntervalMs,
      });
      const meters = new MeterProvider({ resource, readers: [reader] });
      closing.push(meters.shutdown.bind(meters));
    },
    async shutdown(timeoutMs) {
      const closed = Promise.allSettled(closing.map((close) => close()));
      // With no receiver the SDK goes on trying for 8 s.
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, timeoutMs))]);
    },
  };
}

/**
 * Spans for plain HTTP requests. The two packages wait for a `require` to patch what it loads, which never comes for modules inside a
 * bundle or loaded already: their own patches are applied by hand to what this program uses.
 */
function instrument(provider: NodeTracerProvider): <F>(fastify: F) => F {
  const forHttp = new ByHandHttp({
    disableOutgoingRequestInstrumentation: true,
    // A query may hold anything; nothing here reads one.
    startIncomingSpanHook: ({ url }) => (url?.includes('?') === true ? { 'url.query': 'REDACTED' } : {}),
  });
  const forFastify = new ByHandFastify();
  for (const instrumentation of [forHttp, forFastify]) instrumentation.setTracerProvider(provider);
  patch(forHttp, 'http', http);
  patch(forHttp, 'https', https);
  return (fastify) => patch(forFastify, 'fastify', fastify);
}

class ByHandHttp extends HttpInstrumentation {
  override enable(): void {}
}

class ByHandFastify extends FastifyInstrumentation {
  override enable(): void {}
  override isEnabled(): boolean {
    return true;
  }
}

function patch<M>(instrumentation: ByHandHttp | ByHandFastify, name: string, module: M): M {
  const definition = instrumentation.getModuleDefinitions().find((candidate) => candidate.name === name);
  if (definition?.patch === undefined) throw new Error(`The instrumentation knows no module ${name}`);
  return definition.patch(module) as M;
}

/** The metrics of a scrape, for OTLP: the same numbers under the same names. */
function producerOf(exposition: Exposition, version: string): MetricProducer {
  const startedAtMs = Date.now();
  const kinds = {
    cumulative: AggregationTemporality.CUMULATIVE,
    sum: DataPointType.SUM,
    gauge: DataPointType.GAUGE,
    histogram: DataPointType.HISTOGRAM,
  } as const;
  return {
    async collect() {
      const metrics = metricPoints(await exposition.families(), kinds, { startedAtMs, nowMs: Date.now() });
      const scope = { name: SERVICE_NAME, version };
      return { resourceMetrics: { resource: defaultResource(), scopeMetrics: [{ scope, metrics }] }, errors: [] };
    },
  };
}
