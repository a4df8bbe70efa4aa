/**
 * Decorates the app with its metrics and looks up, whenever they are asked for, what is a state and not an event: connections,
 * commands, queues. Knows no exporter and no request.
 */
import fp from 'fastify-plugin';
import type { Phase } from '../src/server/lifecycle.js';
import { createMetrics, type Metrics } from '../src/telemetry/metric-store.js';
import { type Exposition, PrometheusRegistry } from '../src/telemetry/prometheus.js';
import type { SpanCounts } from '../src/telemetry/span-exporting.js';
import { version } from '../src/version.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** To count with. */
    readonly metrics: Metrics;
    /** To show what was counted. */
    readonly exposition: Exposition;
  }
}

export interface MetricsOptions {
  /** Undefined without traces. */
  readonly spans?: SpanCounts | undefined;
  /** Lines that standard error did not take. */
  readonly droppedLogLines?: (() => number) | undefined;
}

const MS_PER_SECOND = 1000;
const PHASES: readonly Phase[] = ['starting', 'running', 'leaving', 'draining', 'closed'];
const TRANSPORTS = ['websocket', 'stdio'];

export const metricsPlugin = fp<MetricsOptions>(
  async (app, { spans, droppedLogLines }) => {
    const metrics = createMetrics();
    const exposition = new PrometheusRegistry(metrics, refresh);
    app.decorate('metrics', metrics);
    app.decorate('exposition', exposition);
    metrics.buildInfo.set(1, version, process.version);
    for (const kind of ['tty', 'streamed', 'buffered']) metrics.commands.add(0, kind, 'success');
    for (const reason of ['queue_full', 'export_failed']) metrics.spansDropped.set(0, reason);

    app.addHook('onResponse', async (request, reply) => {
      if (request.ws && reply.statusCode >= 400) metrics.upgradesRefused.add(1, String(reply.statusCode));
    });

    /** What running commands have counted is in the totals while they run, and is taken out for what they have counted since. */
    let counted = { outputBytes: 0, stdinBytes: 0, pausedMs: 0 };

    function refresh(): void {
      const { lifecycle, sessions, exec, rpc, overload } = app;
      for (const phase of PHASES) metrics.phase.set(lifecycle.phase === phase ? 1 : 0, phase);
      const open = new Map(TRANSPORTS.map((transport) => [transport, 0]));
      let initialized = 0;
      let outboxBytes = 0;
      for (const { connection, initialized: isInitialized } of sessions.all()) {
        const { kind } = connection.transport;
        open.set(kind, (open.get(kind) ?? 0) + 1);
        if (isInitialized) initialized += 1;
        outboxBytes += connection.outbox.pendingBytes;
      }
      for (const [transport, count] of open) metrics.connections.set(count, transport);
      metrics.sessions.set(initialized);
      metrics.outboxBytes.set(outboxBytes);
      metrics.requestsInFlight.set(rpc.requests.inFlight);
      metrics.commandsRunning.set(exec.running);
      metrics.eventLoopDelay.set(overload.loopDelay.maxMs / MS_PER_SECOND);
      metrics.logLinesDropped.set(droppedLogLines?.() ?? 0);
      metrics.spansExported.set(spans?.exported ?? 0);
      metrics.spansDropped.set(spans?.queueFull ?? 0, 'queue_full');
      metrics.spansDropped.set(spans?.exportFailed ?? 0, 'export_failed');
      countRunning();
    }

    function countRunning(): void {
      const now = { outputBytes: 0, stdinBytes: 0, pausedMs: 0 };
      for (const { command, sinks, stdin } of app.exec.all()) {
        now.outputBytes += sinks.stdout.receivedBytes + sinks.stderr.receivedBytes;
        now.stdinBytes += stdin?.takenBytes ?? 0;
        now.pausedMs += command.pausedMs;
      }
      metrics.outputBytes.add(now.outputBytes - counted.outputBytes);
      metrics.stdinBytes.add(now.stdinBytes - counted.stdinBytes);
      metrics.pausedSeconds.add((now.pausedMs - counted.pausedMs) / MS_PER_SECOND);
      counted = now;
    }
  },
  { name: 'metrics', dependencies: ['lifecycle', 'sessions'] },
);
