/**
 * The RPC service: the router with the methods that every server has, and the opening of sessions over transports. Knows no command and no kind of
 * transport.
 */
import { randomUUID } from 'node:crypto';
import type { Principal } from '../auth/principal.js';
import { type Config, limitsOf } from '../config/config.js';
import type { Log } from '../log.js';
import { mayDo } from '../policy/may-do.js';
import { type RpcError, rpcError } from '../protocol/errors.js';
import { type MethodResult, methods } from '../protocol/methods.js';
import { openRpcDocument } from '../protocol/open-rpc.js';
import { Keepalive } from '../rpc/keepalive.js';
import { TotalRequests } from '../rpc/request-budget.js';
import { type AdmittedCall, Router } from '../rpc/router.js';
import type { TraceCarrier } from '../rpc/trace-context.js';
import type { Transport } from '../rpc/transport.js';
import { warnIfExpiring } from '../session/credential-expiry.js';
import { Dialects } from '../session/dialects.js';
import { createInitializeHandler } from '../session/handshake.js';
import { openSession } from '../session/open-session.js';
import type { Session } from '../session/session.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { version } from '../version.js';
import type { Lifecycle } from './lifecycle.js';

type Limits = MethodResult<'initialize'>['limits'];

export interface RpcServiceOptions {
  readonly config: Config;
  readonly lifecycle: Pick<Lifecycle, 'reached'>;
  readonly sessions: SessionRegistry;
  readonly telemetry: Telemetry;
  readonly log: Log;
}

/** Serves every client that comes with a transport. */
export class RpcService {
  /** The protocol of the app-server. */
  readonly router: Router<Session>;
  /** The protocol of the exec-server. */
  readonly execServerRouter: Router<Session>;
  /** Requests in flight of all connections. */
  readonly requests: TotalRequests;
  readonly #options: RpcServiceOptions;
  readonly #keepalive: Keepalive;
  #limits: Limits;
  readonly #limitSources: Array<() => Promise<Limits>> = [];
  #refuseExecServer: (session: Session, method: string) => RpcError | undefined = () => undefined;
  #finding: Promise<void> | undefined;
  #areLimitsKnown = false;
  readonly #endedCallbacks: Array<(session: Session) => void> = [];
  readonly #closedCallbacks: Array<(session: Session) => void> = [];

  constructor(options: RpcServiceOptions) {
    this.#options = options;
    const { config } = options;
    this.requests = new TotalRequests(config.maxRequests);
    this.#keepalive = new Keepalive(config);
    this.router = new Router<Session>((call) => this.#admit(call));
    this.execServerRouter = new Router<Session>(
      (call) => this.#admit(call),
      (session, method) => this.#refuseExecServer(session, method),
    );
    const { initialize, 'rpc.discover': discover } = methods;
    this.#limits = limitsOf(config);
    const handshake = createInitializeHandler({
      version,
      serverId: randomUUID(),
      limits: () => this.#limits,
    });
    this.router.add(
      { initialize, 'rpc.discover': discover },
      {
        initialize: (params, session, call) => {
          const result = handshake(params, session, call);
          warnIfExpiring(session);
          return result;
        },
        'rpc.discover': () => openRpcDocument(version),
      },
    );
  }

  /** Opens a session over a transport. @param upgrade headers of the upgrade request with its trace context */
  open(transport: Transport, principal: Principal, upgrade?: TraceCarrier): Session {
    const { config, sessions, telemetry } = this.#options;
    return openSession(transport, principal, {
      maxRequestsPerConnection: config.maxRequestsPerConnection,
      maxOwedReplyBytes: config.maxOwedReplyBytes,
      initializeTimeoutMs: config.initializeTimeoutMs,
      requests: this.requests,
      dialects: new Dialects({ 'app-server': this.router, 'exec-server': this.execServerRouter }),
      keepalive: this.#keepalive,
      sessions,
      observe: (session) => telemetry.connection(session, upgrade),
      onInputEnded: (session) => tell(this.#endedCallbacks, session),
      onClosed: (session) => tell(this.#closedCallbacks, session),
    });
  }

  /** Adds limits to the reply of `initialize` that take a moment to find out. To be called before the first connection. */
  addLimits(find: () => Promise<Limits>): void {
    this.#limitSources.push(find);
  }

  /** Whether all limits in the reply of `initialize` are known. */
  get areLimitsKnown(): boolean {
    return this.#areLimitsKnown;
  }

  /** Finds the limits of {@link addLimits}. Await it before {@link open}; the start of the server does not wait for it. */
  findLimits(): Promise<void> {
    this.#finding ??= Promise.all(this.#limitSources.map((find) => find())).then((found) => {
      this.#limits = Object.assign({}, this.#limits, ...found);
      this.#areLimitsKnown = true;
    });
    return this.#finding;
  }

  /** Calls back whenever a client sends nothing more and may still read. Its commands end then, and the replies are sent. */
  onInputEnded(callback: (session: Session) => void): void {
    this.#endedCallbacks.push(callback);
  }

  /** Calls back whenever a session's connection has ended. */
  onSessionClosed(callback: (session: Session) => void): void {
    this.#closedCallbacks.push(callback);
  }

  /** Sets what the protocol of the exec-server refuses as too early. To be called before the first connection. */
  refuseExecServerBy(refuse: (session: Session, method: string) => RpcError | undefined): void {
    this.#refuseExecServer = refuse;
  }

  /** Stops watching connections. */
  close(): void {
    this.#keepalive.close();
  }

  /** @throws {RpcError} the refusal: the caller may not call this, or the server is draining or full */
  #admit({ definition, params, caller: session }: AdmittedCall<Session>): void {
    const decision = mayDo(session.principal, definition.action);
    if (!decision.allowed) throw rpcError('notAuthorized', { detail: decision.reason });
    const isDraining = this.#options.lifecycle.reached('draining');
    if (isDraining && definition.startsWork?.(params) === true) throw rpcError('serverDraining');
    const bound = definition.servedWhenFull === true ? undefined : session.connection.budget.exceeded;
    if (bound !== undefined) throw rpcError('serverOverloaded', { bound });
  }
}

function tell(callbacks: ReadonlyArray<(session: Session) => void>, session: Session): void {
  for (const callback of callbacks) callback(session);
}
