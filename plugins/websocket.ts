/**
 * WebSocket upgrades: which are let in, and how the listener lets go of them when the app closes. Knows no JSON-RPC.
 */
import type { IncomingMessage, Server } from 'node:http';
import websocket from '@fastify/websocket';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { selectSubprotocol } from '../src/auth/bearer-token.js';
import type { Config } from '../src/config/config.js';
import { closeCodes } from '../src/protocol/close-codes.js';

import { DESCRIPTORS_PER_CONNECTION } from './overload.js';

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
      options: {
        maxPayload: config.maxFrameBytes,
        perMessageDeflate: config.compression,
        // `ws` would echo the first subprotocol offered, which may be a token.
        handleProtocols: selectSubprotocol,
      },
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
          this.server.closeAllConnections();
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

    const upgrading = refuseUpgradesBehindRequests(app.server);

    app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
      if (request.ws && request.routeOptions.config.upgrade !== true) {
        return reply.code(400).send('this path takes no upgrade\n');
      }
      return undefined;
    });

    // `@fastify/websocket` does so too, but only for what was refused after its own first hook: origin and host are checked before.
    app.addHook('onResponse', async (request) => {
      if (upgrading.has(request.raw)) request.raw.socket.destroy();
    });

    // AFTER the credential has been checked, which takes a while: between here and the upgrade nobody else is let in.
    app.addHook('preValidation', async (request: FastifyRequest, reply: FastifyReply) => {
      if (!request.ws) return undefined;
      if (app.lifecycle.reached('draining')) return refuse(reply, 'draining');
      if (app.sessions.size >= config.maxConnections) return refuse(reply, 'too many connections');
      const shortage = app.overload.shortage(DESCRIPTORS_PER_CONNECTION);
      if (shortage !== undefined) return refuse(reply, `out of ${shortage}`);
      return undefined;
    });
  },
  { name: 'websocket', dependencies: ['auth', 'lifecycle', 'sessions', 'overload'] },
);

/**
 * Answers a path that no route can be looked up for, and hangs up: no hook is called for it, and the socket of an upgrade has left the
 * HTTP server that would close it.
 */
export function answerBadUrl(_error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  reply.raw.once('finish', () => request.raw.socket.destroy());
  reply.code(400).header('connection', 'close').send();
}

function refuse(reply: FastifyReply, reason: string): FastifyReply {
  return reply.code(503).header('retry-after', RETRY_AFTER_SECONDS).header('connection', 'close').send(`${reason}\n`);
}

/**
 * An upgrade that comes behind a request of the same connection, before that has its answer, cannot be served: the answer still owns
 * the socket. `@fastify/websocket` would leave such a socket open for ever.
 * @returns all other requests for an upgrade
 */
function refuseUpgradesBehindRequests(server: Server): WeakSet<IncomingMessage> {
  const answering = new WeakSet<object>();
  const upgrading = new WeakSet<IncomingMessage>();
  server.on('request', (request, response) => {
    answering.add(request.socket);
    response.once('close', () => answering.delete(request.socket));
  });
  const listeners = server.listeners('upgrade');
  server.removeAllListeners('upgrade');
  server.on('upgrade', (request, socket, head) => {
    if (answering.has(request.socket)) {
      socket.destroy();
      return;
    }
    upgrading.add(request);
    for (const listener of listeners) listener(request, socket, head);
  });
  return upgrading;
}
