/** Decorates the app with the drain, the one way in which a running service ends. */
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';
import { Drain } from '../src/server/drain.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Drains once, however often it is called; resolves when no connection is left. */
    readonly drain: () => Promise<void>;
  }
}

export const drainPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const { lifecycle, sessions, commands, telemetry, log, files, execServer } = app;
    const { transfers } = files;
    const drain = new Drain({ config, lifecycle, sessions, commands, transfers, absent: execServer, telemetry, log });
    app.decorate('drain', () => drain.run());
  },
  { name: 'drain', dependencies: ['lifecycle', 'sessions', 'commands', 'telemetry', 'files', 'exec-server'] },
);
