/** Decorates the app with the sessions of its connections. Knows nothing of how a connection was opened. */
import fp from 'fastify-plugin';
import { SessionRegistry } from '../src/session/session-registry.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Sessions by connection id. */
    readonly sessions: SessionRegistry;
  }
}

export const sessionsPlugin = fp(
  async (app) => {
    app.decorate('sessions', new SessionRegistry());
  },
  { name: 'sessions' },
);
