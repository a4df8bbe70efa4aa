/** The health probes. They need no token and answer from the same listener, also while draining. */
import type { FastifyInstance } from 'fastify';
import { refuseWriting } from './read-only.js';

/** The status of `/ownerz` while the server takes no new clients: HAProxy's `disable-on-404` then sends only clients that come back. */
const NOT_READY_FOR_NEW = 404;

/** Adds `/healthz`, `/livez`, `/readyz` and `/ownerz`. */
export async function healthRoutes(app: FastifyInstance): Promise<void> {
  const isReady = (): boolean => app.lifecycle.phase === 'running' && !app.overload.isOverloaded;
  for (const url of ['/healthz', '/livez']) addProbe(app, url, () => 200);
  addProbe(app, '/readyz', () => (isReady() ? 200 : 503));
  addProbe(app, '/ownerz', () => (isReady() ? 200 : NOT_READY_FOR_NEW));
}

function addProbe(app: FastifyInstance, url: string, statusNow: () => number): void {
  app.get(url, { config: { anyHost: true, action: 'anyone' } }, async (_request, reply) =>
    reply.code(statusNow()).send(),
  );
  refuseWriting(app, url);
}
