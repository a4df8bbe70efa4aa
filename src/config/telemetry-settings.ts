/**
 * Whether the `OTEL_*` variables ask for telemetry, and the trace in which this server was started. The SDK reads all other `OTEL_*` itself. Knows no
 * SDK, because the SDK is loaded only if it is wanted.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */

/** The default of the specification. */
const METRIC_INTERVAL_MS = 60_000;
/** The default of the specification. At 512 spans a batch a receiver may be away for a moment. */
const MAX_QUEUED_SPANS = 2048;

/** The telemetry that the environment asks for. */
export interface TelemetrySettings {
  /** Spans go to an OTLP receiver. */
  readonly traces: boolean;
  /** Metrics go to an OTLP receiver. They are on `/metrics` in any case. */
  readonly metrics: boolean;
  /** Milliseconds between two exports of metrics. */
  readonly metricIntervalMs: number;
  /** Ended spans that may wait for the receiver; further ones are dropped and counted. */
  readonly maxQueuedSpans: number;
  /** `TRACEPARENT` and `TRACESTATE` of the server itself, not validated; undefined without one. */
  readonly parent: { readonly traceparent: string; readonly tracestate: string | undefined } | undefined;
}

/** Reads the variables. Nothing is exported unless an endpoint or an exporter is named, and nothing when `OTEL_SDK_DISABLED` is `true`. */
export function readTelemetrySettings(env: NodeJS.ProcessEnv): TelemetrySettings {
  const disabled = env.OTEL_SDK_DISABLED?.toLowerCase() === 'true';
  const asks = (signal: 'TRACES' | 'METRICS'): boolean => {
    const exporter = env[`OTEL_${signal}_EXPORTER`];
    if (exporter !== undefined && exporter !== '') return exporter.split(',').some((name) => name.trim() === 'otlp');
    return [env.OTEL_EXPORTER_OTLP_ENDPOINT, env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]].some(
      (endpoint) => endpoint !== undefined && endpoint !== '',
    );
  };
  return {
    traces: !disabled && asks('TRACES'),
    metrics: !disabled && asks('METRICS'),
    metricIntervalMs: wholeNumber(env.OTEL_METRIC_EXPORT_INTERVAL) ?? METRIC_INTERVAL_MS,
    maxQueuedSpans: wholeNumber(env.OTEL_BSP_MAX_QUEUE_SIZE) ?? MAX_QUEUED_SPANS,
    parent: env.TRACEPARENT ? { traceparent: env.TRACEPARENT, tracestate: env.TRACESTATE } : undefined,
  };
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}
