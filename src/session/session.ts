/**
 * The state behind one connection: who is calling and what was agreed in `initialize`. Knows no transport and no command.
 *
 *     uninitialized ──initialize──► initialized ──► closed
 *         └─────too late, or connection ended────────▲
 */
import type { Principal } from '../auth/principal.js';
import { serverRequests } from '../protocol/server-requests.js';
import type { ResponseMessage } from '../rpc/codec.js';
import type { Connection } from '../rpc/connection.js';
import { afterServing } from '../rpc/served-time.js';
import { Asking } from './ask.js';

/** The protocol of a connection; its `initialize` chooses it. */
export type ConnectionDialect = 'app-server' | 'exec-server';

/** What was agreed in `initialize`. */
export interface Agreement {
  readonly dialect: ConnectionDialect;
  readonly clientName: string;
  readonly clientVersion: string;
  readonly experimentalApi: boolean;
  /** Names of notifications this connection does not want. */
  readonly optOut: ReadonlySet<string>;
  /** Milliseconds between heartbeats, or undefined for none. */
  readonly heartbeatMs: number | undefined;
}

/** The first heartbeat comes so early, because a client that has heard none cannot tell a dead connection from a server that sends none. */
const FIRST_HEARTBEAT_MS = 100;

/** One connection's session. */
export class Session {
  readonly connection: Connection;
  /** Who is at the other end. */
  readonly principal: Principal;
  #agreement: Agreement | undefined;
  /** Created for the first question, because most sessions are never asked. */
  #asking: Asking<typeof serverRequests> | undefined;
  #cancelDeadline: (() => void) | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(connection: Connection, principal: Principal) {
    this.connection = connection;
    this.principal = principal;
  }

  /** Names the connection in logs, traces and metrics. */
  get id(): string {
    return this.connection.id;
  }

  get agreement(): Agreement | undefined {
    return this.#agreement;
  }

  get initialized(): boolean {
    return this.#agreement !== undefined;
  }

  get experimentalApi(): boolean {
    return this.#agreement?.experimentalApi ?? false;
  }

  /** Asks the client. */
  get asking(): Asking<typeof serverRequests> {
    this.#asking ??= new Asking(this.connection, serverRequests);
    return this.#asking;
  }

  /** To be called for every answer of the client. */
  answered(answer: ResponseMessage): void {
    this.#asking?.answered(answer);
  }

  /** Calls back when `initialize` has not come within so many milliseconds of service. 0 for no limit. */
  expectInitialize(timeoutMs: number, onLate: () => void): void {
    if (timeoutMs > 0) this.#cancelDeadline = afterServing(timeoutMs, onLate);
  }

  /** To be called once, by the handshake. */
  initialize(agreement: Agreement): void {
    this.#agreement = agreement;
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
    const { heartbeatMs } = agreement;
    if (heartbeatMs === undefined) return;
    const beat = (): void => this.notify('server/heartbeat', {});
    this.#heartbeat = setTimeout(() => {
      beat();
      this.#heartbeat = setInterval(beat, heartbeatMs);
    }, FIRST_HEARTBEAT_MS);
  }

  /** To be called when the connection has ended. */
  close(): void {
    this.#cancelDeadline?.();
    clearInterval(this.#heartbeat);
    this.#asking?.close();
  }

  /** Whether notifications of that name are to be sent. */
  wants(method: string): boolean {
    return this.#agreement !== undefined && !this.#agreement.optOut.has(method);
  }

  /** Sends a notification unless the client opted out of it or has not initialized. */
  notify(method: string, params: unknown): void {
    if (this.wants(method)) this.connection.notify(method, params);
  }
}
