/**
 * The OpenTelemetry SDK and its instrumentations. Only this file uses them: the SDK is loaded only if `OTEL_*` asks for it, and could be replaced.
 * Knows nothing of requests and commands, which use the tracer.
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

/** The name of the service, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` give one, and the name of the tracer. */
const SERVICE_NAME = 'execwire';

export interface SdkOptions {
  readonly settings: TelemetrySettings;
  readonly version: string;
  /** Receives messages of the SDK, such as that a receiver cannot be reached. */
  readonly onProblem: (problem: string) => void;
}

/** A started SDK. */
export interface Sdk {
  /** Undefined when only metrics are asked for. */
  readonly tracer: Tracer | undefined;
  readonly spans: SpanCounts;
  /** Sends metrics from now on, if they are asked for. */
  exportMetrics(exposition: Exposition): void;
  /** Patches Fastify's constructor, so that its apps make spans. */
  instrumentFastify<F>(fastify: F): F;
  /** Sends what is left, for so many milliseconds at most. */
  shutdown(timeoutMs: number): Promise<void>;
}

/** Starts the SDK. It reads all settings that are not named here from `OTEL_*` itself: endpoints, headers, sampler, limits. */
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
      // Without a receiver the SDK would go on trying for 8 s.
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, timeoutMs))]);
    },
  };
}

/**
 * Spans for plain HTTP requests. The two packages wait for a `require` to patch what it loads. That never happens for modules inside a bundle or
 * loaded already, so their own patches are applied by hand.
 */
function instrument(provider: NodeTracerProvider): <F>(fastify: F) => F {
  const forHttp = new ByHandHttp({
    disableOutgoingRequestInstrumentation: true,
    // A query may hold a secret, and no route reads one.
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
