/** `/metrics` in the text format of Prometheus. Knows nothing of what is counted. */
import type { FastifyInstance } from 'fastify';
import { requirePrincipal } from '../plugins/auth.js';
import type { Exposition } from '../src/telemetry/prometheus.js';
import { refuseWriting } from './read-only.js';

export interface MetricsRouteOptions {
  readonly exposition: Exposition;
  /** Whether a scrape needs the credential that an upgrade needs. */
  readonly protected: boolean;
}

/** Adds the route. */
export async function metricsRoute(app: FastifyInstance, options: MetricsRouteOptions): Promise<void> {
  const { exposition } = options;
  app.route({
    method: 'GET',
    url: '/metrics',
    config: { protected: options.protected, action: options.protected ? 'metrics' : 'anyone' },
    preHandler: async (request, reply) => (options.protected ? requirePrincipal(request, reply) : undefined),
    handler: async (_request, reply) => reply.type(exposition.contentType).send(await exposition.text()),
  });
  refuseWriting(app, '/metrics');
}
