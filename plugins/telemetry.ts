/** Decorates the app with its telemetry, and hands it the tracer if there is an SDK. Knows nothing of what is observed. */
import type { FastifyBaseLogger } from 'fastify';
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';
import type { Sdk } from '../src/telemetry/sdk.js';
import { isMethod, Telemetry } from '../src/telemetry/telemetry.js';

declare module 'fastify' {
  interface FastifyInstance {
    readonly telemetry: Telemetry;
  }
}

export const telemetryPlugin = fp<{ config: Config; sdk?: Sdk | undefined }>(
  async (app, { config, sdk }) => {
    const tracing = await createTracing(app.log, config, sdk?.tracer);
    const telemetry = new Telemetry({ metrics: app.metrics, log: app.log, tracing, traceArgv: config.traceArgv });
    sdk?.exportMetrics(app.exposition);
    onLevelChange(app.log, () => telemetry.followLevel(app.log.level));
    app.decorate('telemetry', telemetry);
  },
  { name: 'telemetry', dependencies: ['metrics'] },
);

/** Loads OpenTelemetry's API only if traces are asked for. */
async function createTracing(log: FastifyBaseLogger, config: Config, tracer: Sdk['tracer']) {
  if (tracer === undefined) return undefined;
  const { Tracing } = await import('../src/telemetry/tracing.js');
  return new Tracing({
    tracer,
    serverParent: config.telemetry.parent,
    isMethod,
    onInvalidServerCarrier: () => log.warn('TRACEPARENT of the server is not a valid trace context and is ignored'),
  });
}

/** pino's loggers report a new level. */
function onLevelChange(log: FastifyBaseLogger, callback: () => void): void {
  if (!('on' in log) || typeof log.on !== 'function') return;
  log.on('level-change', (...args: unknown[]) => {
    if (args.at(-1) === log) callback();
  });
}
