/** Looks up the states of the service whenever the metrics are asked for. */
import fp from 'fastify-plugin';
import { Readings } from '../src/server/readings.js';

export const readingsPlugin = fp(
  async (app) => {
    const { metrics, lifecycle, sessions, overload, rpc, commands, detachables, sandboxes } = app;
    const readings = new Readings({
      metrics,
      lifecycle,
      sessions,
      overload,
      requests: rpc.requests,
      commands,
      detachables,
      sandboxes,
    });
    app.exposition.beforeEach(() => readings.refresh());
  },
  { name: 'readings', dependencies: ['metrics', 'lifecycle', 'sessions', 'overload', 'rpc', 'commands', 'sandbox'] },
);
