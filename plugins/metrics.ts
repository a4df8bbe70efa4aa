/** Decorates the app with its metrics and their exposition. Knows no exporter and no state of the service. */
import fp from 'fastify-plugin';
import { createMetrics, type Metrics } from '../src/telemetry/metric-store.js';
import { PrometheusRegistry } from '../src/telemetry/prometheus.js';
import type { SpanCounts } from '../src/telemetry/span-exporting.js';
import { version } from '../src/version.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts. */
    readonly metrics: Metrics;
    /** Shows what was counted. */
    readonly exposition: PrometheusRegistry;
  }
}

export interface MetricsOptions {
  /** Undefined without traces. */
  readonly spans?: SpanCounts | undefined;
  /** Lines that standard error did not take. */
  readonly droppedLogLines?: (() => number) | undefined;
}

export const metricsPlugin = fp<MetricsOptions>(
  async (app, { spans, droppedLogLines }) => {
    const metrics = createMetrics(version);
    const exposition = new PrometheusRegistry(metrics);
    app.decorate('metrics', metrics);
    app.decorate('exposition', exposition);
    exposition.beforeEach(() => {
      metrics.logLinesDropped.set(droppedLogLines?.() ?? 0);
      metrics.spansExported.set(spans?.exported ?? 0);
      metrics.spansDropped.set(spans?.queueFull ?? 0, 'queue_full');
      metrics.spansDropped.set(spans?.exportFailed ?? 0, 'export_failed');
    });
    app.addHook('onResponse', async (request, reply) => {
      if (request.ws && reply.statusCode >= 400) metrics.upgradesRefused.add(1, String(reply.statusCode));
    });
  },
  { name: 'metrics' },
);
