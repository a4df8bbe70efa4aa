/** Lets WebSocket upgrades in or refuses them, and closes their connections when the app closes. Knows no JSON-RPC. */
import websocket from '@fastify/websocket';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { selectSubprotocol } from '../src/auth/bearer-token.js';
import { principalKey } from '../src/auth/principal-key.js';
import type { Config } from '../src/config/config.js';
import { closeCodes } from '../src/protocol/close-codes.js';
import { FLUSH_TOTAL_MS } from '../src/rpc/flush-limit.js';
import { closePeers } from '../src/server/listener-closing.js';
import { RETRY_AFTER_SECONDS } from '../src/server/retry-after.js';
import { selectUpgrades, UpgradeAdmission } from '../src/server/upgrade-admission.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route takes WebSocket upgrades. */
    readonly upgrade?: boolean;
  }
}

export const websocketPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const { lifecycle, sessions, overload, detachables, execServer } = app;
    const admission = new UpgradeAdmission({
      maxConnections: config.maxConnections,
      lifecycle,
      sessions,
      overload,
      knowsKey: (principal, key) => detachables.knowsAffinity(principalKey(principal), key),
      awaitsClient: (principal) => execServer.awaits(principalKey(principal)),
    });
    const options = {
      maxPayload: config.maxFrameBytes,
      perMessageDeflate: config.compression,
      // The transport itself answers pings and bounds the closing handshake, because `ws` cuts off a slow reader in both cases.
      autoPong: false,
      closeTimeout: 2 * FLUSH_TOTAL_MS,
      // `ws` would echo the first subprotocol offered, which may be a token.
      handleProtocols: selectSubprotocol,
    };
    await app.register(websocket, {
      options,
      errorHandler: (error, socket, request) => {
        // The route has its own listener for broken sockets, so this error is a fault of the server.
        request.log.error({ err: error }, 'upgrade failed');
        socket.close(closeCodes.internalError);
      },
      preClose(done) {
        // The listener of upgrades stays, because Node would serve an upgrade without one as a plain request, and the client would get 404.
        admission.close();
        closePeers(this.server, this.websocketServer.clients);
        done();
      },
    });
    const upgrading = selectUpgrades(app.server);
    app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
      if (request.ws && request.routeOptions.config.upgrade !== true) {
        return reply.code(400).send('this path takes no upgrade\n');
      }
      return undefined;
    });
    // `@fastify/websocket` closes only upgrades that were refused after its own first hook; origin and host are checked before that.
    app.addHook('onResponse', async (request) => {
      if (upgrading.has(request.raw)) request.raw.socket.destroy();
    });
    // AFTER the credential was checked, which takes a while: no other upgrade is let in between this point and the upgrade itself.
    app.addHook('preValidation', async (request: FastifyRequest, reply: FastifyReply) => {
      const reason = request.ws ? admission.refusal(request.principal, keyOf(request)) : undefined;
      if (reason === undefined) return undefined;
      reply.code(503).header('retry-after', RETRY_AFTER_SECONDS).header('connection', 'close');
      return reply.send(`${reason}\n`);
    });
  },
  { name: 'websocket', dependencies: ['auth', 'lifecycle', 'sessions', 'overload', 'commands', 'exec-server'] },
);

/**
 * Answers a path for which no route can be looked up, and closes the socket. No hook runs for such a request, and the HTTP server no longer owns the
 * socket of an upgrade.
 */
export function answerBadUrl(_error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  reply.raw.once('finish', () => request.raw.socket.destroy());
  reply.code(400).header('connection', 'close');
  // A request for a file that execwire refuses has a document.
  if (request.url.startsWith('/files/'))
    reply.send({ reason: 'invalid', message: 'the path is no percent-encoded UTF-8' });
  else reply.send();
}

/** The key of the command that a client comes back to. */
function keyOf({ query }: FastifyRequest): string | undefined {
  const key = typeof query === 'object' && query !== null && 'key' in query ? query.key : undefined;
  return typeof key === 'string' ? key : undefined;
}
