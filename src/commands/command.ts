/**
 * One command from its start to its reply. It alone decides about its end, exactly once. Knows no JSON-RPC; the process, the clock and the killing
 * are handed in.
 *
 *     starting ──started──► running ──process exits──► exiting ──every output has ended──► closed
 *         └──spawn failed────────────────────────────────────────────────────────────────────▲
 *
 * While `exiting`, output is still being delivered; `OutputFlow` decides for how long.
 */
import type {
  ExitStatus,
  OsProcess,
  OutputName,
  ProcessSpec,
  StartProcess,
  TerminalSize,
} from '../process/os-process.js';
import type { CancelTimer, Clock } from './clock.js';
import { exitCodeOf } from './exit-code.js';
import type { CommandInput } from './input.js';
import { OutputFlow } from './output/flow.js';
import type { OutputSink } from './output/output-sink.js';

/** The status of a process that SIGKILL cannot end, such as another user's. The command does not wait for it any more. */
const GIVEN_UP: ExitStatus = { exitCode: null, signal: 'SIGKILL' };

export type CommandState = 'starting' | 'running' | 'exiting' | 'closed';

/** What to kill: a leader, which is also its group and session, and all processes with its marker. */
export interface KillTarget {
  readonly pid: number;
  readonly marker: string;
}

/** What a command needs of the operating system. */
export interface CommandSystem {
  readonly startProcess: StartProcess;
  readonly clock: Clock;
  /** Signals a command and all its descendants. @returns pids of processes that were alive 2 s after SIGKILL. Never rejects. */
  readonly signalTree: (target: KillTarget, signal: NodeJS.Signals) => Promise<readonly number[]>;
  /** Signals the process group alone. */
  readonly signalGroup: (pid: number, signal: NodeJS.Signals) => void;
  /** Whether a process has ended. Asks the kernel, which may know of an end that has not been reported yet. */
  readonly hasEnded: (pid: number) => boolean;
}

export interface CommandOptions {
  readonly process: ProcessSpec;
  /** Marks the environment of every process that it starts. */
  readonly marker: string;
  /** Milliseconds, or undefined for none. */
  readonly timeoutMs: number | undefined;
  readonly input: CommandInput | undefined;
  readonly outputs: Readonly<Record<OutputName, OutputSink>>;
  /** Whether the end waits for all processes that hold an output, and leaves the group alone. Default: outputs are cut soon, the group is killed. */
  readonly waitsForHolders?: boolean | undefined;
}

/** How a command ended. */
export interface CommandEnd {
  /** As the protocol counts: 128+n for signal n, 124 for the timeout. */
  readonly exitCode: number;
  readonly signal: string | null;
  readonly timedOut: boolean;
  /** Milliseconds from the start to the exit of the process. */
  readonly durationMs: number;
  /** Whether another process still held an output, which was cut. */
  readonly outputCut: boolean;
}

/** An event for traces. */
export type CommandEvent = 'started' | 'terminate' | 'resize' | 'timeout' | 'capReached' | 'cut' | 'exited';

/** Runs one command. */
export class Command {
  /** Resolves once, when the command has ended and its output is complete; rejects when it could not be started. */
  readonly ended: Promise<CommandEnd>;
  onEvent: ((event: CommandEvent) => void) | undefined;
  readonly #system: CommandSystem;
  readonly #options: CommandOptions;
  #state: CommandState = 'starting';
  #process: OsProcess | undefined;
  #exit: ExitStatus | undefined;
  #timedOut = false;
  #killSignal: NodeJS.Signals | undefined;
  #signalAtStart: NodeJS.Signals | undefined;
  #sizeAtStart: TerminalSize | undefined;
  #startedAtMs: number;
  #exitedAtMs = 0;
  readonly #flow: OutputFlow;
  #wasCut = false;
  #cancelTimeout: CancelTimer | undefined;
  #cancelGrace: CancelTimer | undefined;
  #graceEndsAtMs = Number.POSITIVE_INFINITY;
  #resolve: (end: CommandEnd) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(system: CommandSystem, options: CommandOptions) {
    this.#system = system;
    this.#options = options;
    this.#startedAtMs = system.clock.nowMs();
    this.#flow = new OutputFlow({
      clock: system.clock,
      waitsForHolders: options.waitsForHolders === true,
      cut: (stream) => this.#cutOutput(stream),
      resume: (stream) => this.#process?.resumeOutput(stream),
    });
    for (const [stream, sink] of Object.entries(options.outputs) as [OutputName, OutputSink][]) {
      sink.onResume = () => this.resumeOutput(stream);
      sink.onCapReached = () => this.onEvent?.('capReached');
    }
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get state(): CommandState {
    return this.#state;
  }

  /** Undefined until the process has started. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** How the process ended, from its exit on; its output may still follow. */
  get exit(): CommandEnd | undefined {
    return this.#exit === undefined ? undefined : this.#endOf(this.#exit);
  }

  /** Milliseconds in which an output was paused for a slow client. */
  get pausedMs(): number {
    return this.#flow.pausedMs;
  }

  /** Starts the process. To be called once. */
  start(): void {
    const started = this.#system.startProcess(this.#options.process, {
      onOutput: (stream, chunk) => this.#onOutput(stream, chunk),
      onOutputEnd: (stream) => this.#onOutputEnd(stream),
      onExit: (status) => this.#onExit(status),
    });
    started.then(
      (process) => this.#onStarted(process),
      (error: Error) => this.#onSpawnFailed(error),
    );
  }

  /**
   * Kills the command and its descendants with SIGKILL: at once, or `graceMs` after a first signal, SIGTERM by default. Of several calls the earliest
   * SIGKILL counts.
   */
  terminate(options: { signal?: NodeJS.Signals; graceMs?: number } = {}): void {
    this.onEvent?.('terminate');
    if (options.graceMs === undefined) {
      this.#kill('SIGKILL');
      return;
    }
    this.#kill(options.signal ?? 'SIGTERM');
    const endsAtMs = this.#system.clock.nowMs() + options.graceMs;
    if (this.#state === 'closed' || endsAtMs >= this.#graceEndsAtMs) return;
    this.#cancelGrace?.();
    this.#graceEndsAtMs = endsAtMs;
    this.#cancelGrace = this.#system.clock.after(options.graceMs, () => this.#kill('SIGKILL'));
  }

  /** Sends one signal to the process group. */
  signal(signal: NodeJS.Signals): void {
    if (this.#process === undefined) this.#signalAtStart = signal;
    else if (this.#exit === undefined) this.#system.signalGroup(this.#process.pid, signal);
  }

  /** Sets the window size. */
  resize(size: TerminalSize): void {
    this.onEvent?.('resize');
    if (this.#process === undefined) this.#sizeAtStart = size;
    else this.#process.resize(size);
  }

  /** Resumes a stream that its sink had stopped. */
  resumeOutput(stream: OutputName): void {
    this.#flow.resume(stream);
  }

  /** Discards further output; the caller kills the command, together with the others of its owner. */
  abandon(): void {
    for (const sink of Object.values(this.#options.outputs)) sink.discard();
    if (this.#process === undefined) this.#killSignal = 'SIGKILL';
    this.#flow.abandon();
  }

  #onStarted(process: OsProcess): void {
    this.#process = process;
    this.#flow.open(process.outputs);
    this.#state = 'running';
    if (process.stdin !== undefined) this.#options.input?.feed(process.stdin);
    if (this.#sizeAtStart !== undefined) process.resize(this.#sizeAtStart);
    const { timeoutMs } = this.#options;
    if (timeoutMs !== undefined) this.#cancelTimeout = this.#system.clock.after(timeoutMs, () => this.#onTimeout());
    this.onEvent?.('started');
    if (this.#signalAtStart !== undefined) this.signal(this.#signalAtStart);
    if (this.#killSignal !== undefined) this.#kill(this.#killSignal);
  }

  #onSpawnFailed(error: Error): void {
    this.#state = 'closed';
    this.#release();
    this.#reject(error);
  }

  #onTimeout(): void {
    // After a standstill of the server the timer may fire before an end that was in time is reported.
    if (this.#exit !== undefined || (this.pid !== undefined && this.#system.hasEnded(this.pid))) return;
    this.#timedOut = true;
    this.onEvent?.('timeout');
    this.#kill('SIGKILL');
  }

  #onOutput(stream: OutputName, chunk: Buffer): void {
    if (!this.#options.outputs[stream].take(chunk) && this.#flow.pause(stream)) this.#process?.pauseOutput(stream);
    this.#flow.took(stream, chunk.length);
  }

  #onOutputEnd(stream: OutputName): void {
    this.#options.outputs[stream].end();
    this.#flow.close(stream);
    this.#closeIfComplete();
  }

  #onExit(status: ExitStatus): void {
    // It was given up earlier, and has ended now.
    if (this.#exit !== undefined) return;
    this.#exit = status;
    this.#exitedAtMs = this.#system.clock.nowMs();
    this.#state = 'exiting';
    this.#cancelTimeout?.();
    this.#options.input?.end();
    this.onEvent?.('exited');
    this.#flow.exited();
    this.#closeIfComplete();
  }

  #cutOutput(stream: OutputName): void {
    if (!this.#wasCut) this.onEvent?.('cut');
    this.#wasCut = true;
    this.#process?.cutOutput(stream);
  }

  #kill(signal: NodeJS.Signals): void {
    if (this.#state === 'closed') return;
    if (this.#process === undefined) {
      this.#killSignal = signal;
      return;
    }
    const { pid } = this.#process;
    void this.#system.signalTree({ pid, marker: this.#options.marker }, signal).then((survivors) => {
      if (survivors.includes(pid)) this.#giveUp();
    });
  }

  #giveUp(): void {
    if (this.#exit !== undefined) return;
    this.#onExit(GIVEN_UP);
    this.#flow.cutAll();
  }

  #closeIfComplete(): void {
    if (this.#state !== 'exiting' || this.#flow.hasOpen || this.#exit === undefined) return;
    this.#state = 'closed';
    // The rest of the group is killed with the reply; a process in a session of its own lives until its connection closes. BEFORE the release, which
    // gives the number away.
    const { waitsForHolders } = this.#options;
    if (this.#process !== undefined && waitsForHolders !== true) {
      this.#system.signalGroup(this.#process.pid, 'SIGKILL');
    }
    this.#release();
    this.#resolve(this.#endOf(this.#exit));
  }

  #endOf(status: ExitStatus): CommandEnd {
    return {
      exitCode: exitCodeOf(status, this.#timedOut),
      signal: status.signal,
      timedOut: this.#timedOut,
      durationMs: this.#exitedAtMs - this.#startedAtMs,
      outputCut: this.#wasCut,
    };
  }

  #release(): void {
    this.#cancelTimeout?.();
    this.#cancelGrace?.();
    this.#flow.release();
    this.#options.input?.end();
    this.#process?.dispose();
  }
}
