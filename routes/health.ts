/** The health probes. They need no token and answer from the same listener, also while draining. */
import type { FastifyInstance } from 'fastify';

/** Methods that a route which is only read refuses. */
const WRITING_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Not ready, told so that a balancer sends nobody new and still everybody who comes back (HAProxy's `disable-on-404`). */
const NOT_READY_FOR_NEW = 404;

/** Adds `/healthz`, `/livez`, `/readyz` and `/ownerz`. */
export async function healthRoutes(app: FastifyInstance): Promise<void> {
  const isReady = (): boolean => app.lifecycle.phase === 'running' && !app.overload.isOverloaded;
  for (const url of ['/healthz', '/livez']) addProbe(app, url, () => 200);
  addProbe(app, '/readyz', () => (isReady() ? 200 : 503));
  addProbe(app, '/ownerz', () => (isReady() ? 200 : NOT_READY_FOR_NEW));
}

function addProbe(app: FastifyInstance, url: string, statusNow: () => number): void {
  app.get(url, { config: { anyHost: true } }, async (_request, reply) => reply.code(statusNow()).send());
  app.route({
    method: WRITING_METHODS,
    url,
    // BEFORE the body is read: its type may be one that nobody here understands.
    onRequest: async (_request, reply) => reply.code(405).header('allow', 'GET, HEAD').send(),
    handler: async () => {},
  });
}
