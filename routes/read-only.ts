/** Refuses every method that writes on a route that can only be read. Knows nothing of what is read there. */
import type { FastifyInstance } from 'fastify';

const WRITING_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Answers 405 to all methods but GET and HEAD, which the caller adds. */
export function refuseWriting(app: FastifyInstance, url: string): void {
  app.route({
    method: WRITING_METHODS,
    url,
    config: { action: 'anyone' },
    // BEFORE the body is read, because its type may be unknown here.
    onRequest: async (_request, reply) => reply.code(405).header('allow', 'GET, HEAD').send(),
    handler: async () => {},
  });
}
