/** The app of the metrics' own listener: `/metrics` and nothing else, without a credential. It never listens; `cli/serve.ts` does. */
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { metricsRoute } from '../../routes/metrics.js';
import type { Exposition } from '../telemetry/prometheus.js';

/** A client that sends its request byte by byte, or none at all, is cut off after this. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Builds it over the metrics of the service. */
export async function buildMetricsApp(exposition: Exposition, log: FastifyBaseLogger): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
  });
  await app.register(metricsRoute, { exposition, protected: false });
  return app;
}
