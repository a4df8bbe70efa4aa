/** Decorates the app with `overload`, which tells whether the service has room. Knows only the bounds of the machine; other plugins add theirs. */
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
