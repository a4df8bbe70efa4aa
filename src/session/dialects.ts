/** Which protocol a connection speaks: the member that its first `initialize` has. Knows no method but that one. */
import { rpcError } from '../protocol/errors.js';
import type { RequestMessage } from '../rpc/codec.js';
import type { Router } from '../rpc/router.js';
import type { ConnectionDialect, Session } from './session.js';

/** The routers of all protocols. */
export class Dialects {
  readonly #routers: Readonly<Record<ConnectionDialect, Router<Session>>>;

  constructor(routers: Readonly<Record<ConnectionDialect, Router<Session>>>) {
    this.#routers = routers;
  }

  /** The router of a connection; before `initialize` it is that of the app-server. */
  of(session: Session): Router<Session> {
    return this.#routers[session.agreement?.dialect ?? 'app-server'];
  }

  /** The router of a request, which may be the `initialize` that chooses it. @throws {RpcError} invalidParams when it names both protocols */
  forRequest(session: Session, { method, params }: RequestMessage): Router<Session> {
    if (session.initialized || method !== 'initialize') return this.of(session);
    const isExecServer = has(params, 'clientName');
    if (isExecServer && has(params, 'clientInfo')) {
      throw rpcError('invalidParams', {
        detail:
          'clientInfo and clientName: give one; clientInfo speaks the protocol of the app-server, clientName that of the exec-server',
      });
    }
    return this.#routers[isExecServer ? 'exec-server' : 'app-server'];
  }
}

function has(params: unknown, name: string): boolean {
  return typeof params === 'object' && params !== null && (params as Record<string, unknown>)[name] != null;
}
