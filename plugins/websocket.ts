/**
 * WebSocket upgrades: which are let in, and how the listener lets go of them when the app closes. Knows no JSON-RPC.
 */
import websocket from '@fastify/websocket';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Config } from '../src/config.js';
import { closeCodes } from '../src/protocol/close-codes.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route takes WebSocket upgrades. */
    readonly upgrade?: boolean;
  }
}

/** Seconds after which a refused client may come back: about as long as a balancer takes to notice. */
const RETRY_AFTER_SECONDS = 1;
/** How long after the last goodbye `app.close()` waits for peers that never answer. */
const CLOSE_PEERS_MS = 1000;
/** How often idle keep-alive connections are closed while the server closes. */
const CLOSE_IDLE_EVERY_MS = 50;

export const websocketPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    await app.register(websocket, {
      options: { maxPayload: config.maxFrameBytes, perMessageDeflate: config.compression },
      errorHandler: (error, socket, request) => {
        // A frame that breaks the protocol, or a socket that broke: `ws` has sent the close code already where there is one.
        request.log.debug({ err: error }, 'websocket error');
        socket.close();
      },
      preClose(done) {
        this.server.removeAllListeners('upgrade');
        for (const client of this.websocketServer.clients) client.close(closeCodes.goingAway, 'server going away');
        const cut = setTimeout(() => {
          for (const client of this.websocketServer.clients) client.terminate();
        }, CLOSE_PEERS_MS);
        // Node closes keep-alive connections only when they fall idle after their next request.
        const closeIdle = setInterval(() => this.server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
        this.server.once('close', () => {
          clearTimeout(cut);
          clearInterval(closeIdle);
        });
        if (!this.server.listening) {
          clearTimeout(cut);
          clearInterval(closeIdle);
        }
        done();
      },
    });

    app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
      if (!request.ws) return;
      if (request.routeOptions.config.upgrade !== true) return reply.code(400).send('this path takes no upgrade\n');
      if (app.lifecycle.reached('draining')) return refuse(reply, 'draining');
      if (app.sessions.size >= config.maxConnections) return refuse(reply, 'too many connections');
    });
  },
  { name: 'websocket', dependencies: ['lifecycle', 'sessions'] },
);

function refuse(reply: FastifyReply, reason: string): FastifyReply {
  return reply.code(503).header('retry-after', RETRY_AFTER_SECONDS).header('connection', 'close').send(`${reason}\n`);
}
