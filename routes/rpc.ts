/** The upgrade to a WebSocket, on every path that is no other route. */
import type { FastifyInstance } from 'fastify';
import { ANONYMOUS } from '../src/auth/principal.js';
import type { FrameSocket } from '../src/rpc/websocket-frames.js';
import { WebSocketTransport } from '../src/rpc/websocket-transport.js';

/** Adds the upgrade. */
export async function rpcRoute(app: FastifyInstance): Promise<void> {
  app.route({
    method: 'GET',
    url: '/*',
    config: { upgrade: true },
    handler: async (_request, reply) => reply.code(404).send(),
    wsHandler: (ws, request) => {
      // An injected upgrade has no socket.
      const socket: (FrameSocket & { setNoDelay?: (on: boolean) => unknown }) | undefined = request.raw.socket;
      // Without it a keystroke's echo waits up to 40 ms for the peer's acknowledgement.
      socket?.setNoDelay?.(true);
      app.rpc.attach(new WebSocketTransport(ws, socket), request.principal ?? ANONYMOUS);
    },
  });
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send());
}
