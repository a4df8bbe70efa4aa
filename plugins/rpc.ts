/** Gives the app its RPC service, and adds the service's bounds to the overload. */
import fp from 'fastify-plugin';
import type { Config } from '../src/config/config.js';
import { RpcService } from '../src/server/rpc-service.js';

declare module 'fastify' {
  interface FastifyInstance {
    readonly rpc: RpcService;
  }
}

export const rpcPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const { lifecycle, sessions, telemetry, overload, log } = app;
    const rpc = new RpcService({ config, lifecycle, sessions, telemetry, log });
    app.decorate('rpc', rpc);
    overload.addLoad(() => sessions.size / config.maxConnections);
    overload.addLoad(() => rpc.requests.inFlight / config.maxRequests);
    app.addHook('onClose', async () => rpc.close());
  },
  { name: 'rpc', dependencies: ['lifecycle', 'sessions', 'telemetry', 'overload'] },
);
