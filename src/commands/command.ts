/**
 * One command from its start to its reply. The only owner of its end, which it decides exactly once. Knows no JSON-RPC; the process,
 * the clock and the killing come in from outside.
 *
 *     starting ──started──► running ──process exits──► exiting ──every output has ended──► closed
 *         └──spawn failed────────────────────────────────────────────────────────────────────▲
 *
 * While `exiting`, output is still being delivered. A stream that somebody else holds open is read for 2 s more and then cut; the 2 s
 * stand still while a stream is paused for a slow client.
 */
import { constants } from 'node:os';
import type {
  ExitStatus,
  OsProcess,
  OutputName,
  ProcessSpec,
  StartProcess,
  TerminalSize,
} from '../process/os-process.js';
import type { CancelTimer, Clock } from './clock.js';
import type { StdinFeed } from './input.js';
import type { OutputSink } from './output/output-sink.js';

/** How long the end of output may lag behind the exit of the process. @see PROTOCOL "command/exec" */
export const LINGER_MS = 2000;
/** Exit code of a command that its timeout ended, as that of timeout(1). */
const TIMEOUT_EXIT_CODE = 124;
/** What is answered for a process that SIGKILL cannot end, such as another user's: from here on it is not waited for. */
const GIVEN_UP: ExitStatus = { exitCode: null, signal: 'SIGKILL' };
/** Exit codes of processes ended by a signal start here, as in a shell. */
const SIGNAL_EXIT_BASE = 128;

export type CommandState = 'starting' | 'running' | 'exiting' | 'closed';

/** What to kill: a leader that is also its group and session, and all that carry its marker. */
export interface KillTarget {
  readonly pid: number;
  readonly marker: string;
}

/** What a command needs of the operating system. */
export interface CommandSystem {
  readonly startProcess: StartProcess;
  readonly clock: Clock;
  /** Signals a command and all its descendants. @returns pids of those that lived on for 2 s after SIGKILL. Never rejects. */
  readonly signalTree: (target: KillTarget, signal: NodeJS.Signals) => Promise<readonly number[]>;
  /** Signals the process group alone. */
  readonly signalGroup: (pid: number, signal: NodeJS.Signals) => void;
  /** Whether a process has ended; asks the kernel, which may know of an end that has not been reported yet. */
  readonly hasEnded: (pid: number) => boolean;
}

export interface CommandOptions {
  readonly process: ProcessSpec;
  /** In the environment of everything it starts. */
  readonly marker: string;
  /** Milliseconds, or undefined for none. */
  readonly timeoutMs: number | undefined;
  readonly stdin: StdinFeed | undefined;
  readonly sinks: Readonly<Record<OutputName, OutputSink>>;
}

/** How a command ended. */
export interface CommandEnd {
  /** As the protocol counts: 128+n for signal n, 124 for the timeout. */
  readonly exitCode: number;
  readonly signal: string | null;
  readonly timedOut: boolean;
  /** Milliseconds from the start to the exit of the process. */
  readonly durationMs: number;
}

/** Something worth a line in a trace. */
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
  #openOutputs = new Set<OutputName>();
  #pausedOutputs = new Set<OutputName>();
  #pausedSinceMs = 0;
  #pausedMs = 0;
  #lingerLeftMs = LINGER_MS;
  #lingerSinceMs = 0;
  #cancelLinger: CancelTimer | undefined;
  #cancelTimeout: CancelTimer | undefined;
  #cancelGrace: CancelTimer | undefined;
  #graceEndsAtMs = Number.POSITIVE_INFINITY;
  #resolve: (end: CommandEnd) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(system: CommandSystem, options: CommandOptions) {
    this.#system = system;
    this.#options = options;
    this.#startedAtMs = system.clock.nowMs();
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

  /** Milliseconds in which an output stood still for a slow client. */
  get pausedMs(): number {
    return this.#pausedMs + (this.#pausedOutputs.size > 0 ? this.#system.clock.nowMs() - this.#pausedSinceMs : 0);
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
   * Signals the command and its descendants: with SIGKILL unless told otherwise, and with SIGKILL again `graceMs` later. When that is asked for
   * several times the earliest SIGKILL counts.
   */
  terminate(options: { signal?: NodeJS.Signals; graceMs?: number } = {}): void {
    this.onEvent?.('terminate');
    if (options.graceMs === undefined) {
      this.#kill(options.signal ?? 'SIGKILL');
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

  /** Goes on reading a stream that its sink had stopped. */
  resumeOutput(stream: OutputName): void {
    if (!this.#pausedOutputs.delete(stream)) return;
    if (this.#pausedOutputs.size === 0) {
      this.#pausedMs += this.#system.clock.nowMs() - this.#pausedSinceMs;
      this.#runLinger();
    }
    this.#process?.resumeOutput(stream);
  }

  /** Its client has left: drops what it still says. Whoever calls this kills it, with all the others of that client in one go. */
  abandon(): void {
    for (const sink of Object.values(this.#options.sinks)) sink.discard();
    for (const stream of [...this.#pausedOutputs]) this.resumeOutput(stream);
    if (this.#process === undefined) this.#killSignal = 'SIGKILL';
    // Nobody waits for output any more: no reason to wait for those who hold it.
    if (this.#state === 'exiting') this.#cutOutputs();
    else this.#lingerLeftMs = 0;
  }

  #onStarted(process: OsProcess): void {
    this.#process = process;
    for (const stream of process.outputs) this.#openOutputs.add(stream);
    this.#state = 'running';
    if (process.stdin !== undefined) this.#options.stdin?.attach(process.stdin);
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
    // After a standstill of the server the timer may come before the report of an end that was in time.
    if (this.#exit !== undefined || (this.pid !== undefined && this.#system.hasEnded(this.pid))) return;
    this.#timedOut = true;
    this.onEvent?.('timeout');
    this.#kill('SIGKILL');
  }

  #onOutput(stream: OutputName, chunk: Buffer): void {
    if (this.#options.sinks[stream].take(chunk) || this.#pausedOutputs.has(stream)) return;
    if (this.#pausedOutputs.size === 0) this.#pausedSinceMs = this.#system.clock.nowMs();
    this.#pausedOutputs.add(stream);
    this.#process?.pauseOutput(stream);
    this.#stopLinger();
  }

  #onOutputEnd(stream: OutputName): void {
    this.#openOutputs.delete(stream);
    this.#options.sinks[stream].end();
    this.resumeOutput(stream);
    this.#closeIfComplete();
  }

  #onExit(status: ExitStatus): void {
    // It was given up, and ends at last.
    if (this.#exit !== undefined) return;
    this.#exit = status;
    this.#exitedAtMs = this.#system.clock.nowMs();
    this.#state = 'exiting';
    this.#cancelTimeout?.();
    this.#options.stdin?.end();
    this.onEvent?.('exited');
    this.#runLinger();
    this.#closeIfComplete();
  }

  #runLinger(): void {
    if (this.#state !== 'exiting' || this.#cancelLinger !== undefined || this.#pausedOutputs.size > 0) return;
    if (this.#openOutputs.size === 0) return;
    this.#lingerSinceMs = this.#system.clock.nowMs();
    this.#cancelLinger = this.#system.clock.after(this.#lingerLeftMs, () => this.#cutOutputs());
  }

  #stopLinger(): void {
    if (this.#cancelLinger === undefined) return;
    this.#cancelLinger();
    this.#cancelLinger = undefined;
    this.#lingerLeftMs = Math.max(0, this.#lingerLeftMs - (this.#system.clock.nowMs() - this.#lingerSinceMs));
  }

  #cutOutputs(): void {
    this.onEvent?.('cut');
    for (const stream of [...this.#openOutputs]) this.#process?.cutOutput(stream);
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
    this.#cutOutputs();
  }

  #closeIfComplete(): void {
    if (this.#state !== 'exiting' || this.#openOutputs.size > 0 || this.#exit === undefined) return;
    this.#state = 'closed';
    // What is left of the group goes with the reply; what made its own session lives until its connection closes. BEFORE the release, which
    // gives the number away.
    if (this.#process !== undefined) this.#system.signalGroup(this.#process.pid, 'SIGKILL');
    this.#release();
    const { exitCode, signal, signalNumber } = this.#exit;
    const number = signalNumber ?? constants.signals[signal as NodeJS.Signals] ?? 0;
    const ownCode = signal === null ? (exitCode ?? 0) : SIGNAL_EXIT_BASE + number;
    this.#resolve({
      exitCode: this.#timedOut ? TIMEOUT_EXIT_CODE : ownCode,
      signal,
      timedOut: this.#timedOut,
      durationMs: this.#exitedAtMs - this.#startedAtMs,
    });
  }

  #release(): void {
    this.#cancelTimeout?.();
    this.#cancelGrace?.();
    this.#stopLinger();
    this.#options.stdin?.end();
    this.#process?.dispose();
  }
}
