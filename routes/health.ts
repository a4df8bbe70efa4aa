/** The health probes. They need no token and answer from the same listener, also while draining. */
import type { FastifyInstance } from 'fastify';

/** Methods that a route which is only read refuses. */
const WRITING_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Adds `/healthz`, `/livez` and `/readyz`. */
export async function healthRoutes(app: FastifyInstance): Promise<void> {
  for (const url of ['/healthz', '/livez']) addProbe(app, url, () => true);
  addProbe(app, '/readyz', () => app.lifecycle.phase === 'running' && !app.overload.isOverloaded);
}

function addProbe(app: FastifyInstance, url: string, isWell: () => boolean): void {
  app.get(url, { config: { anyHost: true } }, async (_request, reply) => reply.code(isWell() ? 200 : 503).send());
  app.route({
    method: WRITING_METHODS,
    url,
    // BEFORE the body is read: its type may be one that nobody here understands.
    onRequest: async (_request, reply) => reply.code(405).header('allow', 'GET, HEAD').send(),
    handler: async () => {},
  });
}
