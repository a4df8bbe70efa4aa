/**
 * The sessions of this dialect and their processes: opens and resumes sessions, starts processes as commands of the server's one table, and ends
 * sessions whose client does not come back. Knows no transport and no text of the wire.
 */
import { randomUUID } from 'node:crypto';
import { principalKey } from '../../auth/principal-key.js';
import type { CancelTimer, Clock } from '../../commands/clock.js';
import { CommandError } from '../../commands/command-error.js';
import type { Detachables } from '../../commands/detachables.js';
import type { CommandTable } from '../../commands/table.js';
import { rpcError } from '../../protocol/errors.js';
import type { Call, Connection } from '../../rpc/connection.js';
import type { Session } from '../../session/session.js';
import type { CommandExec } from '../command-exec/command-exec.js';
import type { ExecRequest } from '../command-exec/exec-request.js';
import type { ExecProcess } from './exec-process.js';
import { ExecSession } from './exec-session.js';

/** Output kept of each stream, as in the reference. */
const KEPT_BYTES = 1024 * 1024;
/** Sessions without a connection that never started anything; each takes some hundred bytes. */
const MAX_UNUSED = 1000;
/** A connection whose peer does not answer a ping for so long, while the same client comes back on another one, is taken for broken. */
const PROBE_MS = 2000;

export interface ExecServerOptions {
  readonly table: CommandTable;
  readonly detachables: Detachables;
  readonly exec: Pick<CommandExec, 'startOf' | 'adopt'>;
  readonly clock: Clock;
  /** Milliseconds for which a session is kept without a connection, and a process after it is closed. */
  readonly keepMs: number;
  readonly maxReplayBytes: number;
  readonly maxProcessesPerConnection: number;
  /** A session has ended with its processes because its client did not come back. */
  readonly onAbandoned: (sessionId: string, running: number) => void;
}

export class ExecServer {
  readonly #options: ExecServerOptions;
  readonly #byId = new Map<string, ExecSession>();
  readonly #byConnection = new Map<Session, ExecSession>();
  /** Sessions without a connection, in the order in which they lost it. */
  readonly #away = new Map<ExecSession, CancelTimer>();
  readonly #probed = new Set<Connection>();

  constructor(options: ExecServerOptions) {
    this.#options = options;
  }

  /** Sessions, with and without a connection. */
  get size(): number {
    return this.#byId.size;
  }

  /** The session of a connection. */
  of(session: Session): ExecSession | undefined {
    return this.#byConnection.get(session);
  }

  /** Whether any session is {@link ExecSession.isAwaited}. */
  get awaitsAnyone(): boolean {
    return [...this.#away.keys()].some(({ isAwaited }) => isAwaited);
  }

  /**
   * Whether a client of this principal is awaited. If not, its connections with something that runs are pinged, because one may be broken although
   * nothing has told so.
   * @param principal as `principalKey` makes it
   */
  awaits(principal: string): boolean {
    const own = [...this.#byId.values()].filter((session) => session.principal === principal);
    if (own.some(({ isAwaited }) => isAwaited)) return true;
    for (const { outlet, running } of own) {
      if (outlet.session !== undefined && running > 0) this.#probe(outlet.session.connection);
    }
    return false;
  }

  /** Gives a connection a session. @param resume the session to come back to @throws {RpcError} unknownSession, sessionAttached */
  open(session: Session, resume: string | undefined): ExecSession {
    const opened = resume === undefined ? this.#create(session) : this.#resume(session, resume);
    opened.attach(session);
    this.#byConnection.set(session, opened);
    return opened;
  }

  /**
   * Starts a process; resolves when it runs. A drain closes connections that are idle; until then, and until its deadline, they may start more.
   * @throws {RpcError} processExists @throws {CommandError} noRoom @throws {SpawnError} later
   */
  start(request: ExecRequest, { session, call }: { readonly session: Session; readonly call: Call }): Promise<unknown> {
    const own = this.#byConnection.get(session);
    if (own === undefined) throw new Error('a request of a connection without a session');
    const { maxProcessesPerConnection } = this.#options;
    if (own.running >= maxProcessesPerConnection) {
      throw new CommandError('noRoom', { bound: 'maxProcessesPerConnection' });
    }
    const process = own.addProcess(request.processId ?? '', request.tty !== undefined);
    try {
      return this.#run(process, own, { request, session, call });
    } catch (error) {
      own.removeProcess(process);
      throw error;
    }
  }

  /** A connection has ended. @param isFinal whether its client cannot come back, because the transport has one connection only */
  leave(session: Session, isFinal: boolean): void {
    const own = this.#byConnection.get(session);
    if (own === undefined) return;
    this.#byConnection.delete(session);
    if (isFinal) {
      this.#end(own);
      return;
    }
    own.leave();
    const cancel = this.#options.clock.after(this.#options.keepMs, () => this.#abandon(own));
    this.#away.set(own, cancel);
    this.#boundUnused();
  }

  /** Ends all sessions. */
  close(): void {
    for (const session of [...this.#byId.values()]) this.#end(session);
  }

  #create(session: Session): ExecSession {
    const { clock, keepMs, table } = this.#options;
    const created = new ExecSession({
      id: randomUUID(),
      principal: principalKey(session.principal),
      clock,
      keepMs,
      openOwner: () => table.openOwner(),
      closeOwner: (owner) => table.closeOwner(owner),
    });
    this.#byId.set(created.id, created);
    return created;
  }

  #resume(session: Session, sessionId: string): ExecSession {
    const found = this.#byId.get(sessionId);
    if (found === undefined || found.principal !== principalKey(session.principal)) {
      throw rpcError('unknownSession', { sessionId });
    }
    const present = found.outlet.session;
    if (present !== undefined) {
      this.#probe(present.connection);
      throw rpcError('sessionAttached', { sessionId });
    }
    this.#away.get(found)?.();
    this.#away.delete(found);
    return found;
  }

  /** Cuts a connection that is broken although nothing has told so: otherwise its client could not come back before the next pings. */
  #probe(connection: Connection): void {
    if (this.#probed.has(connection)) return;
    this.#probed.add(connection);
    const { transport } = connection;
    const before = transport.receivedMessages;
    transport.ping();
    this.#options.clock.after(PROBE_MS, () => {
      this.#probed.delete(connection);
      if (transport.receivedMessages === before) transport.abort();
    });
  }

  #run(
    process: ExecProcess,
    own: ExecSession,
    { request, session, call }: { request: ExecRequest; session: Session; call: Call },
  ): Promise<unknown> {
    const { detachables, exec, maxReplayBytes } = this.#options;
    const key = own.nextKey();
    let tellStarted = (): void => {};
    const started = new Promise<void>((resolve) => {
      tellStarted = resolve;
    });
    const command = detachables.start({
      key,
      principal: own.principal,
      identity: key,
      ttlMs: Number.POSITIVE_INFINITY,
      replayBytes: Math.min(KEPT_BYTES, maxReplayBytes),
      waitsForWriter: false,
      tty: request.tty,
      capBytes: Number.POSITIVE_INFINITY,
      holder: own,
      owner: own.owner,
      start: {
        ...exec.startOf(request, session, call),
        waitsForHolders: true,
        onEvent: (event) => {
          process.onEvent(event);
          if (event === 'started') tellStarted();
        },
      },
    });
    exec.adopt(command, request);
    process.runs(command);
    const { ended } = command.running;
    ended.catch(() => {
      if (!process.hasStarted) own.removeProcess(process);
    });
    return Promise.race([started, ended]);
  }

  #abandon(session: ExecSession): void {
    if (!session.isUnused) this.#options.onAbandoned(session.id, session.running);
    this.#end(session);
  }

  #end(session: ExecSession): void {
    this.#away.get(session)?.();
    this.#away.delete(session);
    this.#byId.delete(session.id);
    session.end();
  }

  #boundUnused(): void {
    const unused = [...this.#away.keys()].filter(({ isUnused }) => isUnused);
    for (const oldest of unused.slice(0, Math.max(0, unused.length - MAX_UNUSED))) this.#end(oldest);
  }
}
