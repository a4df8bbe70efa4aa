/** Decides which upgrades to a WebSocket are let in. Knows neither the credential, which was checked before, nor JSON-RPC. */
import type { IncomingMessage, Server } from 'node:http';
import type { Principal } from '../auth/principal.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Lifecycle } from './lifecycle.js';
import { DESCRIPTORS_PER_CONNECTION, type Overload } from './overload.js';
import { asksForWebSocket, serveAsPlain } from './plain-requests.js';

export interface UpgradeAdmissionOptions {
  readonly maxConnections: number;
  readonly lifecycle: Pick<Lifecycle, 'reached'>;
  readonly sessions: Pick<SessionRegistry, 'size'>;
  readonly overload: Pick<Overload, 'shortage'>;
  /** Whether the principal has a command whose key has the affinity of this key. */
  readonly knowsKey: (principal: Principal, key: string) => boolean;
  /** Whether a session of the exec-server protocol waits for a client of this principal. Such a client names no key. */
  readonly awaitsClient: (principal: Principal) => boolean;
}

/** Ask it once for each upgrade, right before the upgrade, because one that is let in counts at once. */
export class UpgradeAdmission {
  readonly #options: UpgradeAdmissionOptions;
  #isClosed = false;

  constructor(options: UpgradeAdmissionOptions) {
    this.#options = options;
  }

  /** Lets in nobody any more: the server closes its connections, and a client that came now would be cut without a word. */
  close(): void {
    this.#isClosed = true;
  }

  /**
   * Why one more client cannot be let in now; undefined if it can.
   * @param key of the command that the client comes back to, from `?key=`; such a client is let in while the server drains, as is one that a session
   * waits for
   */
  refusal(principal: Principal | null, key: string | undefined): string | undefined {
    const { lifecycle, sessions, overload, maxConnections } = this.#options;
    if (this.#isClosed) return 'draining';
    if (lifecycle.reached('draining') && !this.#comesBack(principal, key)) return 'draining';
    if (sessions.size >= maxConnections) return 'too many connections';
    const shortage = overload.shortage(DESCRIPTORS_PER_CONNECTION);
    return shortage === undefined ? undefined : `out of ${shortage}`;
  }

  #comesBack(principal: Principal | null, key: string | undefined): boolean {
    if (principal === null) return false;
    const { knowsKey, awaitsClient } = this.#options;
    return (key !== undefined && knowsKey(principal, key)) || awaitsClient(principal);
  }
}

/**
 * Lets upgrades to a WebSocket through and serves other upgrades as plain requests. Cuts an upgrade that follows an unanswered request of the same
 * connection, because that answer still needs the socket; `@fastify/websocket` would leave such a socket open for ever.
 * @returns the upgrade requests that were let through
 */
export function selectUpgrades(server: Server): WeakSet<IncomingMessage> {
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
    if (!asksForWebSocket(request)) {
      serveAsPlain(server, request, socket, head);
      return;
    }
    upgrading.add(request);
    for (const listener of listeners) listener.call(server, request, socket, head);
  });
  return upgrading;
}
