/** The upgrade to a WebSocket, on every path that is not another route. */
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { requirePrincipal } from '../plugins/auth.js';
import { dropUpgradeLeftovers, type UpgradedSocket } from '../src/rpc/upgrade-leftovers.js';
import { WebSocketTransport } from '../src/rpc/websocket-transport.js';

/** Adds the upgrade. */
export async function rpcRoute(app: FastifyInstance): Promise<void> {
  function onError(this: UpgradedSocket, error: Error): void {
    // A frame broke the protocol, or the socket broke. `ws` has already sent a close code if it could.
    app.log.debug({ err: error }, 'websocket error');
    this.close();
  }

  app.route({
    method: 'GET',
    url: '/*',
    config: { upgrade: true, action: 'connect' },
    preHandler: async (request, reply) => {
      if (!request.ws) return undefined;
      if (!app.rpc.areLimitsKnown) await app.rpc.findLimits();
      return requirePrincipal(request, reply);
    },
    handler: async (_request, reply) => reply.code(404).send(),
    wsHandler: (ws, request) => {
      const { principal } = request;
      if (principal == null) throw new Error('An upgrade went past the authentication');
      // An injected upgrade has no socket.
      const socket: Socket | undefined = request.raw.socket;
      // Without this the echo of a keystroke waits up to 40 ms for the peer's acknowledgement.
      socket?.setNoDelay?.(true);
      dropUpgradeLeftovers(ws, socket, onError);
      const { traceparent, tracestate } = request.headers;
      app.rpc.open(new WebSocketTransport(ws, socket), principal, { traceparent, tracestate });
    },
  });
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send());
}
