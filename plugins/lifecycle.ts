/** Decorates the app with its lifecycle, and sets the phase `closed` when the app closes. Does not know what starts or drains it. */
import fp from 'fastify-plugin';
import { Lifecycle } from '../src/server/lifecycle.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The phase of the service. */
    readonly lifecycle: Lifecycle;
  }
}

export const lifecyclePlugin = fp(
  async (app) => {
    const lifecycle = new Lifecycle();
    app.decorate('lifecycle', lifecycle);
    app.addHook('onClose', async () => {
      lifecycle.advance('closed');
    });
  },
  { name: 'lifecycle' },
);
