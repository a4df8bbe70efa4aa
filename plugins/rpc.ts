/**
 * Gives the app its RPC service: the router with the methods every server has, and the way from a transport to a session. Knows no
 * command and no kind of transport.
 */
import fp from 'fastify-plugin';
import { authorize } from '../src/auth/authorize.js';
import type { Principal } from '../src/auth/principal.js';
import { EXPIRY_WARNING_MS, watchSessionExpiry } from '../src/auth/session-expiry.js';
import { type Config, limitsOf } from '../src/config/config.js';
import type { TraceCarrier } from '../src/config/telemetry-settings.js';
import { closeCodes } from '../src/protocol/close-codes.js';
import { rpcError } from '../src/protocol/errors.js';
import type { MethodDefinition } from '../src/protocol/methods/method-definition.js';
import { methods } from '../src/protocol/methods.js';
import { openRpcDocument } from '../src/protocol/open-rpc.js';
import { Connection } from '../src/rpc/connection.js';
import { Keepalive } from '../src/rpc/keepalive.js';
import { RequestBudget, TotalRequests } from '../src/rpc/request-budget.js';
import { Router } from '../src/rpc/router.js';
import type { Transport } from '../src/rpc/transport.js';
import { createInitializeHandler } from '../src/session/handshake.js';
import { Session } from '../src/session/session.js';
import { version } from '../src/version.js';
import { requestFields } from './telemetry.js';

/** What the other plugins and the routes use of the RPC service. */
export interface RpcService {
  readonly router: Router<Session>;
  /** Requests in flight of all connections. */
  readonly requests: TotalRequests;
  /** Opens a session over a transport, for whoever is at its other end. @param upgrade headers with their trace context */
  attach(transport: Transport, principal: Principal, upgrade?: TraceCarrier): Session;
  /** Calls back whenever a session's connection has ended. */
  onSessionClosed(callback: (session: Session) => void): void;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly rpc: RpcService;
  }
}

export const rpcPlugin = fp<{ config: Config }>(
  async (app, { config }) => {
    const requests = new TotalRequests(config.maxRequests);
    const keepalive = new Keepalive(config);
    const closedCallbacks: Array<(session: Session) => void> = [];

    const admit = (method: string, definition: MethodDefinition, session: Session): void => {
      const decision = authorize(session.principal, method);
      if (!decision.allowed) throw rpcError('notAuthorized', { detail: decision.reason });
      if (definition.startsWork === true && app.lifecycle.reached('draining')) throw rpcError('serverDraining');
      const bound = definition.servedWhenFull === true ? undefined : session.connection.budget.exceeded;
      if (bound !== undefined) throw rpcError('serverOverloaded', { bound });
    };
    const router = new Router<Session>(admit);
    const { initialize, 'rpc.discover': discover } = methods;
    const handshake = createInitializeHandler({ version, limits: limitsOf(config) });
    router.add(
      { initialize, 'rpc.discover': discover },
      {
        initialize: (params, session, call) => {
          const result = handshake(params, session, call);
          const { expiresAtMs = Number.POSITIVE_INFINITY } = session.principal;
          // AFTER the reply: one that was not initialized when its end came near has not been told of it.
          if (expiresAtMs - Date.now() <= EXPIRY_WARNING_MS) {
            setImmediate(() => warnOfExpiry(session, Math.max(0, expiresAtMs - Date.now())));
          }
          return result;
        },
        'rpc.discover': () => openRpcDocument(version),
      },
    );

    function warnOfExpiry(session: Session, expiresInMs: number): void {
      session.notify('server/authExpiring', { expiresInMs });
    }

    function watchExpiry(session: Session): (() => void) | undefined {
      const { expiresAtMs } = session.principal;
      if (expiresAtMs === undefined) return undefined;
      return watchSessionExpiry(expiresAtMs, {
        onExpiring: (leftMs) => warnOfExpiry(session, leftMs),
        onExpired: () => session.connection.close(closeCodes.policyViolation, 'credential expired'),
      });
    }

    function attach(transport: Transport, principal: Principal, upgrade?: TraceCarrier): Session {
      const connection: Connection = new Connection({
        transport,
        budget: new RequestBudget(config.maxRequestsPerConnection, requests),
        maxOwedReplyBytes: config.maxOwedReplyBytes,
        serve: (call) => router.serve(session, call),
        // `initialized` asks for nothing, and what is unknown is never answered.
        onNotification: (method) => app.log.debug({ connectionId: connection.id, method }, 'notification'),
        observe: (request) => observer.request(request),
        onInternalError: (error, traceId, call) =>
          observer.log.error({ ...requestFields(call), trace_id: traceId, err: error }, 'request failed'),
        onClose: (code) => {
          keepalive.remove(connection);
          session.close();
          stopWatching?.();
          app.sessions.remove(session);
          for (const callback of closedCallbacks) callback(session);
          observer.closed(code);
        },
      });
      const session = new Session(connection, principal);
      const observer = app.telemetry.connection(session, upgrade);
      app.sessions.add(session);
      session.expectInitialize(config.initializeTimeoutMs, () =>
        connection.close(closeCodes.policyViolation, 'not initialized in time'),
      );
      const stopWatching = watchExpiry(session);
      keepalive.add(connection);
      connection.open();
      return session;
    }

    app.decorate('rpc', { router, requests, attach, onSessionClosed: (callback) => closedCallbacks.push(callback) });
    app.addHook('onClose', async () => keepalive.close());
  },
  { name: 'rpc', dependencies: ['lifecycle', 'sessions', 'telemetry'] },
);
