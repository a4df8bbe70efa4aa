/**
 * One session of this dialect: its processes, and the connection that it has at the moment. It outlives its connections; whoever made it decides when
 * it ends. Knows no other session.
 *
 *     attached ⇄ detached ──end()──► ended, which kills everything that it started
 */
import type { Clock } from '../../commands/clock.js';
import type { CommandHolder } from '../../commands/detachable.js';
import type { Owner } from '../../commands/owner.js';
import { rpcError } from '../../protocol/errors.js';
import type { Session } from '../../session/session.js';
import { ExecProcess } from './exec-process.js';
import { SessionOutlet } from './session-outlet.js';

export interface ExecSessionOptions {
  readonly id: string;
  /** Only clients of this principal may come back to it. */
  readonly principal: string;
  readonly clock: Clock;
  /** Milliseconds for which a process is kept after it is closed. */
  readonly keepMs: number;
  readonly openOwner: () => Owner;
  readonly closeOwner: (owner: Owner) => void;
}

export class ExecSession implements CommandHolder {
  readonly id: string;
  readonly principal: string;
  readonly outlet = new SessionOutlet();
  readonly #options: ExecSessionOptions;
  readonly #processes = new Map<string, ExecProcess>();
  readonly #cancelForgetting = new Set<() => void>();
  #owner: Owner | undefined;
  #startCount = 0;
  #running = 0;
  #isConfirmed = false;
  #hasEnded = false;
  #isAwaited = false;
  #releaseConnection: (() => void) | undefined;

  constructor(options: ExecSessionOptions) {
    this.#options = options;
    this.id = options.id;
    this.principal = options.principal;
  }

  /** Whether it has a connection. */
  get isPresent(): boolean {
    return this.outlet.session !== undefined;
  }

  /** Whether its last connection ended while it ran something, so that its client will come back for that. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** Whether the client has confirmed this connection by `initialized`. */
  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  /** Processes that are not closed. */
  get running(): number {
    return this.#running;
  }

  /** Whether it never started anything that may still be there. */
  get isUnused(): boolean {
    return this.#owner === undefined;
  }

  /** Owner of everything that it starts. */
  get owner(): Owner {
    this.#owner ??= this.#options.openOwner();
    return this.#owner;
  }

  /** A key for the next command. */
  nextKey(): string {
    this.#startCount += 1;
    return `e.${this.id}.${this.#startCount}`;
  }

  attach(session: Session): void {
    this.#isAwaited = false;
    this.outlet.attach(session);
    this.#holdConnection();
  }

  /** The client is ready for notifications. */
  confirm(): void {
    this.#isConfirmed = true;
    this.outlet.open();
  }

  /** Its connection has ended. */
  leave(): void {
    this.#letConnectionGo();
    this.#isConfirmed = false;
    this.#isAwaited = this.#running > 0;
    this.outlet.leave();
    for (const process of this.#processes.values()) process.releaseReaders();
  }

  find(processId: string): ExecProcess | undefined {
    return this.#processes.get(processId);
  }

  /** Takes a name for a process that is about to start. @throws {RpcError} processExists */
  addProcess(processId: string, hasTerminal: boolean): ExecProcess {
    if (this.#processes.has(processId)) throw rpcError('processExists', { processId });
    const { clock } = this.#options;
    const onClosed = (closed: ExecProcess): void => this.#closed(closed);
    const process = new ExecProcess({ id: processId, hasTerminal, outlet: this.outlet, clock, onClosed });
    this.#processes.set(processId, process);
    this.#running += 1;
    this.#holdConnection();
    return process;
  }

  /** The process could not be started; its name is free again. */
  removeProcess(process: ExecProcess): void {
    this.#processes.delete(process.id);
    this.#stopped();
  }

  /** Kills and forgets everything. */
  end(): void {
    this.#hasEnded = true;
    this.leave();
    for (const cancel of this.#cancelForgetting) cancel();
    const processes = [...this.#processes.values()];
    this.#processes.clear();
    for (const { command } of processes) command?.expire();
    if (this.#owner !== undefined) this.#options.closeOwner(this.#owner);
  }

  #closed(process: ExecProcess): void {
    // Its processes close after its end, and are forgotten already.
    if (this.#hasEnded) return;
    this.#stopped();
    const { clock, keepMs } = this.#options;
    const cancel = clock.after(keepMs, () => {
      this.#cancelForgetting.delete(cancel);
      this.#processes.delete(process.id);
      process.command?.expire();
    });
    this.#cancelForgetting.add(cancel);
  }

  #stopped(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#letConnectionGo();
  }

  /** A drain waits for a connection whose session runs something. */
  #holdConnection(): void {
    if (this.#running > 0) this.#releaseConnection ??= this.outlet.session?.connection.holdOpen();
  }

  #letConnectionGo(): void {
    this.#releaseConnection?.();
    this.#releaseConnection = undefined;
  }
}
