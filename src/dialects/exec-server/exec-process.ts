/**
 * One process of a session: its events in order, reads that wait for them, and its input. Knows no connection and no session.
 *
 *     starting ──started()──► running ──exit──► exited ──no process holds the output, and all of it was sent──► closed
 */
import type { CancelTimer, Clock } from '../../commands/clock.js';
import type { CommandEvent } from '../../commands/command.js';
import { CommandError } from '../../commands/command-error.js';
import type { DetachableCommand } from '../../commands/detachable.js';
import type { CommandInput } from '../../commands/input.js';
import { Viewer } from '../../commands/output/viewer.js';
import type { OutputName } from '../../process/os-process.js';
import { rpcError } from '../../protocol/errors.js';
import type { ExecServerParams, ExecServerResult } from '../../protocol/methods/exec-server.js';
import { EventLog } from './event-log.js';
import { ProcessOutput } from './process-output.js';
import type { SessionOutlet } from './session-outlet.js';

/** Names of writes that are remembered, as in the reference. */
const MAX_WRITE_IDS = 4096;

type ReadResult = ExecServerResult<'process/read'>;

export interface ExecProcessOptions {
  readonly id: string;
  readonly hasTerminal: boolean;
  readonly outlet: SessionOutlet;
  readonly clock: Clock;
  /** It is closed. Called once. */
  readonly onClosed: (process: ExecProcess) => void;
}

export class ExecProcess {
  readonly id: string;
  readonly #options: ExecProcessOptions;
  readonly #viewers: { readonly output: OutputName; readonly viewer: Viewer }[] = [];
  /** Each with what its write resolves to, oldest first. */
  readonly #writes = new Map<string, Promise<void> | undefined>();
  readonly #readers = new Set<(isForced: boolean) => void>();
  #command: DetachableCommand | undefined;
  #events = new EventLog({});
  #hasStarted = false;
  #hasEnded = false;

  constructor(options: ExecProcessOptions) {
    this.#options = options;
    this.id = options.id;
  }

  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  get hasExited(): boolean {
    return this.#events.exitSeq !== undefined;
  }

  get isClosed(): boolean {
    return this.#events.closeSeq !== undefined;
  }

  /** The command, once the table has accepted it. */
  get command(): DetachableCommand | undefined {
    return this.#command;
  }

  /** The table has accepted the command; no output has come yet. */
  runs(command: DetachableCommand): void {
    this.#command = command;
    const { logs } = command.options;
    this.#events = new EventLog(logs);
    const { id, hasTerminal, outlet } = this.#options;
    for (const [output, log] of Object.entries(logs) as [OutputName, (typeof logs)[OutputName]][]) {
      if (log === undefined) continue;
      const stream = hasTerminal ? 'pty' : output;
      const onEvent = (): void => this.#wakeReaders();
      const port = new ProcessOutput({ processId: id, output, stream, events: this.#events, outlet, onEvent });
      const viewer = new Viewer({ port, from: 0, isLossless: true, windowBytes: Number.POSITIVE_INFINITY });
      viewer.onProgress = () => this.#closeIfSent();
      this.#viewers.push({ output, viewer });
      log.add(viewer);
    }
    command.running.ended.then(
      () => {
        this.#hasEnded = true;
        this.#closeIfSent();
      },
      // The start has failed, and its request answers that.
      () => {},
    );
  }

  /** To be called at each step of the command. */
  onEvent(event: CommandEvent): void {
    if (event === 'started') this.#hasStarted = true;
    else if (event === 'exited') this.#exited();
  }

  /** Everything that can be told now. @throws {RpcError} processStarting */
  async read({ afterSeq, maxBytes, waitMs }: ExecServerParams<'process/read'>): Promise<ReadResult> {
    if (!this.#hasStarted) throw rpcError('processStarting', { processId: this.id });
    const after = afterSeq ?? 0;
    const most = maxBytes ?? Number.POSITIVE_INFINITY;
    if (waitMs != null && waitMs > 0 && !this.#hasNews(after)) await this.#newsWithin(waitMs, after);
    const { chunks, isCut } = this.#events.read(after, most);
    const lastSeq = chunks.at(-1)?.seq;
    return {
      chunks: chunks.map(({ seq, output, bytes }) => ({
        seq,
        stream: this.#options.hasTerminal ? 'pty' : output,
        chunk: bytes.toString('base64'),
      })),
      nextSeq: isCut && lastSeq !== undefined ? lastSeq + 1 : this.#events.nextSeq,
      exited: this.hasExited,
      exitCode: this.hasExited ? (this.#command?.running.command.exit?.exitCode ?? null) : null,
      closed: this.isClosed,
      failure: null,
      sandboxDenied: false,
    };
  }

  /** Answers reads that wait for a client that has left. */
  releaseReaders(): void {
    for (const done of [...this.#readers]) done(true);
  }

  /**
   * Queues bytes for standard input, once for each name.
   * @returns a promise when the bytes wait to be accepted @throws {RpcError} stdinUnwritable, notWriter
   */
  write(writeId: string, chunk: Buffer): Promise<void> | undefined | 'stdinClosed' {
    const input = this.#command?.running.input;
    if (input === undefined) return 'stdinClosed';
    if (this.#writes.has(writeId)) return this.#writes.get(writeId);
    if (this.hasExited) throw rpcError('stdinUnwritable');
    if (this.#command?.writer !== undefined) throw rpcError('notWriter');
    if (chunk.length === 0) return undefined;
    const accepted = writeTo(input, chunk);
    this.#writes.set(writeId, accepted);
    accepted?.then(
      () => this.#writes.set(writeId, undefined),
      () => this.#writes.delete(writeId),
    );
    const [oldest] = this.#writes.keys();
    if (this.#writes.size > MAX_WRITE_IDS && oldest !== undefined) this.#writes.delete(oldest);
    return accepted;
  }

  /** Sends SIGINT to the process group. */
  interrupt(): void {
    if (!this.hasExited) this.#command?.running.command.signal('SIGINT');
  }

  /** Kills it with its descendants. @returns whether it ran */
  terminate(): boolean {
    if (this.hasExited || this.#command === undefined) return false;
    this.#command.running.command.terminate();
    return true;
  }

  #exited(): void {
    const { outlet } = this.#options;
    const exitCode = this.#command?.running.command.exit?.exitCode ?? 0;
    outlet.notify('process/exited', {
      processId: this.id,
      seq: this.#events.addExit(),
      exitCode,
      sandboxDenied: false,
    });
    this.#wakeReaders();
  }

  #closeIfSent(): void {
    if (!this.#hasEnded || this.isClosed) return;
    const logs = this.#command?.options.logs ?? {};
    if (this.#viewers.some(({ output, viewer }) => logs[output]?.hasSentAll(viewer) === false)) return;
    const seq = this.#events.addClose();
    this.#options.outlet.notify('process/closed', { processId: this.id, seq });
    for (const { output, viewer } of this.#viewers) logs[output]?.remove(viewer);
    this.#wakeReaders();
    this.#options.onClosed(this);
  }

  #hasNews(after: number): boolean {
    const { exitSeq } = this.#events;
    if (this.isClosed || (exitSeq !== undefined && exitSeq > after)) return true;
    return this.#events.read(after, 0).chunks.length > 0;
  }

  #newsWithin(waitMs: number, after: number): Promise<void> {
    return new Promise((resolve) => {
      let cancel: CancelTimer = () => {};
      const look = (isForced: boolean): void => {
        if (!isForced && !this.#hasNews(after)) return;
        cancel();
        this.#readers.delete(look);
        resolve();
      };
      cancel = this.#options.clock.after(waitMs, () => look(true));
      this.#readers.add(look);
    });
  }

  #wakeReaders(): void {
    if (this.#readers.size === 0) return;
    // AFTER the bytes were kept, which happens after they were numbered.
    queueMicrotask(() => {
      for (const look of [...this.#readers]) look(false);
    });
  }
}

/** @throws {RpcError} stdinUnwritable */
function writeTo(input: CommandInput, chunk: Buffer): Promise<void> | undefined {
  try {
    return input.write(chunk)?.catch(throwAsUnwritable);
  } catch (error) {
    return throwAsUnwritable(error);
  }
}

function throwAsUnwritable(error: unknown): never {
  if (error instanceof CommandError && error.reason === 'inputClosed') throw rpcError('stdinUnwritable');
  throw error;
}
