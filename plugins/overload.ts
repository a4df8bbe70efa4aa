/** Decorates the app with what the service still has room for. Knows no bound but the machine's: their owners add theirs. */
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';
import { Overload } from '../src/server/overload.js';

declare module 'fastify' {
  interface FastifyInstance {
    readonly overload: Overload;
  }
}

export const overloadPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const overload = new Overload({ maxEventLoopDelayMs: config.maxEventLoopDelayMs, log: app.log });
    overload.start();
    app.decorate('overload', overload);
    app.addHook('onClose', async () => overload.stop());
  },
  { name: 'overload' },
);
