/** A process that does what a test tells it, and the operating system around it. Starts nothing. */
import type { CommandSystem } from '../../src/commands/command.js';
import type {
  ExitStatus,
  OsProcess,
  OutputName,
  ProcessEvents,
  ProcessSpec,
  StdinWriter,
  TerminalSize,
} from '../../src/process/os-process.js';
import { FakeClock } from './fake-clock.js';

interface Queued {
  readonly chunk: Buffer;
  readonly onDone: (error?: Error) => void;
}

/** Standard input that takes bytes only when a test says so. */
export class FakeStdin implements StdinWriter {
  /** What the process has read. */
  read = '';
  ended = false;
  destroyed = false;
  #queue: Queued[] = [];

  get queuedBytes(): number {
    return this.#queue.reduce((sum, { chunk }) => sum + chunk.length, 0);
  }

  write(chunk: Buffer, onDone: (error?: Error) => void): void {
    this.#queue.push({ chunk, onDone });
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
    this.#fail('destroyed');
  }

  /** The process reads all waiting bytes, including those queued meanwhile. */
  readAll(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.read += next.chunk.toString('utf8');
      next.onDone();
    }
  }

  /** The process closes its input. */
  breakPipe(): void {
    this.#fail('EPIPE');
  }

  #fail(message: string): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const { onDone } of queue) onDone(new Error(message));
  }
}

/** One process. The command calls the methods up to `dispose`, and the test calls the others. */
export class FakeProcess implements OsProcess {
  readonly pid: number;
  readonly outputs: readonly OutputName[];
  readonly stdin: FakeStdin | undefined;
  /** In order: `pause stdout`, `resume stdout`, `cut stdout`, `resize 10x20`, `dispose`. */
  readonly calls: string[] = [];
  readonly #events: ProcessEvents;

  constructor(pid: number, spec: ProcessSpec, events: ProcessEvents) {
    this.pid = pid;
    this.outputs = spec.tty === undefined ? ['stdout', 'stderr'] : ['stdout'];
    this.stdin = spec.stdin || spec.tty !== undefined ? new FakeStdin() : undefined;
    this.#events = events;
  }

  pauseOutput(stream: OutputName): void {
    this.calls.push(`pause ${stream}`);
  }

  resumeOutput(stream: OutputName): void {
    this.calls.push(`resume ${stream}`);
  }

  cutOutput(stream: OutputName): void {
    this.calls.push(`cut ${stream}`);
    this.endOutput(stream);
  }

  resize({ rows, cols }: TerminalSize): void {
    this.calls.push(`resize ${rows}x${cols}`);
  }

  dispose(): void {
    this.calls.push('dispose');
  }

  /** The process writes. */
  say(text: string | Buffer, stream: OutputName = 'stdout'): void {
    this.#events.onOutput(stream, Buffer.from(text));
  }

  endOutput(...streams: OutputName[]): void {
    for (const stream of streams.length === 0 ? this.outputs : streams) this.#events.onOutputEnd(stream);
  }

  exit(status: number | string | ExitStatus): void {
    if (typeof status === 'number') this.#events.onExit({ exitCode: status, signal: null });
    else if (typeof status === 'string') this.#events.onExit({ exitCode: null, signal: status });
    else this.#events.onExit(status);
  }
}

interface Start {
  readonly spec: ProcessSpec;
  readonly events: ProcessEvents;
  readonly resolve: (process: OsProcess) => void;
  readonly reject: (error: Error) => void;
}

/** An operating system for commands. */
export class FakeSystem implements CommandSystem {
  readonly clock = new FakeClock();
  /** In order: `tree 100 SIGKILL`, `group 100 SIGKILL`. */
  readonly signals: string[] = [];
  /** Called before a group gets its signal. */
  onGroupSignal: () => void = () => {};
  /** Pids that no SIGKILL ends. */
  survivors: number[] = [];
  /** Pids of processes that have ended, reported or not. */
  readonly ended = new Set<number>();
  /** Processes whose start was asked for, in order. */
  readonly specs: ProcessSpec[] = [];
  readonly processes: FakeProcess[] = [];
  #starts: Start[] = [];
  #nextPid = 100;
  readonly #startsAtOnce: boolean;

  /** @param options.startsAtOnce false: a start waits for {@link finishStart}. Default true */
  constructor({ startsAtOnce = true }: { startsAtOnce?: boolean } = {}) {
    this.#startsAtOnce = startsAtOnce;
  }

  readonly startProcess = (spec: ProcessSpec, events: ProcessEvents): Promise<OsProcess> =>
    new Promise((resolve, reject) => {
      this.specs.push(spec);
      this.#starts.push({ spec, events, resolve, reject });
      if (this.#startsAtOnce) void this.finishStart();
    });

  readonly signalTree = async ({ pid }: { pid: number }, signal: NodeJS.Signals): Promise<readonly number[]> => {
    this.signals.push(`tree ${pid} ${signal}`);
    return this.survivors;
  };

  readonly hasEnded = (pid: number): boolean => this.ended.has(pid);

  readonly signalGroup = (pid: number, signal: NodeJS.Signals): void => {
    this.onGroupSignal();
    this.signals.push(`group ${pid} ${signal}`);
  };

  /** The oldest start that waits succeeds; resolves once the command knows. */
  async finishStart(): Promise<FakeProcess> {
    const start = this.#starts.shift();
    if (start === undefined) throw new Error('nothing is being started');
    this.#nextPid += 1;
    const process = new FakeProcess(this.#nextPid, start.spec, start.events);
    this.processes.push(process);
    start.resolve(process);
    await settled();
    return process;
  }

  /** The oldest start that waits fails. */
  async failStart(error: Error): Promise<void> {
    this.#starts.shift()?.reject(error);
    await settled();
  }

  /** The process started last. */
  get process(): FakeProcess {
    const last = this.processes.at(-1);
    if (last === undefined) throw new Error('nothing was started');
    return last;
  }
}

/** Resolves when all promises that can settle have settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
