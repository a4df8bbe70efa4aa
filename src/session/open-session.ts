/**
 * Opens a session over a transport: makes the connection, starts everything that watches it, and undoes all of that once the transport has ended. Knows no
 * kind of transport, no method and no command.
 */
import type { Principal } from '../auth/principal.js';
import { closeCodes } from '../protocol/close-codes.js';
import type { RequestMessage } from '../rpc/codec.js';
import { type Call, Connection, type RequestObservation } from '../rpc/connection.js';
import type { Keepalive } from '../rpc/keepalive.js';
import { RequestBudget, type TotalRequests } from '../rpc/request-budget.js';
import type { Transport } from '../rpc/transport.js';
import { watchCredential } from './credential-expiry.js';
import type { Dialects } from './dialects.js';
import { Session } from './session.js';
import type { SessionRegistry } from './session-registry.js';

/** Follows one session, for metrics, traces and the log. */
export interface SessionObservation {
  request(request: RequestMessage): RequestObservation;
  /** The client sent a notification that the server ignores. */
  notified(method: string): void;
  /** A fault of the server. @param call undefined for a message of the server's own that could not be written */
  failed(error: unknown, traceId: string, call: Call | undefined): void;
  closed(code: number): void;
}

/** What all sessions of a service share. */
export interface SessionService {
  readonly maxRequestsPerConnection: number;
  readonly maxOwedReplyBytes: number;
  readonly initializeTimeoutMs: number;
  /** Requests in flight of all connections. */
  readonly requests: TotalRequests;
  readonly dialects: Dialects;
  readonly keepalive: Pick<Keepalive, 'add' | 'remove'>;
  readonly sessions: Pick<SessionRegistry, 'add' | 'remove'>;
  readonly observe: (session: Session) => SessionObservation;
  /** The client sends nothing more. The callee ends its commands, so that their replies are sent. */
  readonly onInputEnded: (session: Session) => void;
  readonly onClosed: (session: Session) => void;
}

/** Opens a session over a transport for the principal at its other end. */
export function openSession(transport: Transport, principal: Principal, service: SessionService): Session {
  const { dialects, keepalive, sessions } = service;
  const connection: Connection = new Connection({
    transport,
    budget: new RequestBudget(service.maxRequestsPerConnection, service.requests),
    maxOwedReplyBytes: service.maxOwedReplyBytes,
    maxBytesOf: (method) => dialects.of(session).maxBytesOf(method),
    serve: (call) => dialects.forRequest(session, call.request).serve(session, call),
    // `initialized` asks for nothing, and an unknown notification is never answered.
    onNotification: (method, params) => {
      if (!dialects.of(session).notify(session, method, params)) observation.notified(method);
    },
    onResponse: (answer) => session.answered(answer),
    onEnd: () => service.onInputEnded(session),
    observe: (request) => observation.request(request),
    onInternalError: (error, traceId, call) => observation.failed(error, traceId, call),
    onClose: (code) => {
      keepalive.remove(connection);
      session.close();
      stopWatching();
      sessions.remove(session);
      service.onClosed(session);
      observation.closed(code);
    },
  });
  const session = new Session(connection, principal);
  const observation = service.observe(session);
  sessions.add(session);
  session.expectInitialize(service.initializeTimeoutMs, () =>
    connection.close(closeCodes.policyViolation, 'not initialized in time'),
  );
  const stopWatching = watchCredential(session);
  keepalive.add(connection);
  connection.open();
  return session;
}
