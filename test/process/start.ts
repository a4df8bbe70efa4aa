/** Starts real programs for the tests of this directory and gathers their output and exits. Knows no server. */
import type { ExitStatus, OsProcess, OutputName, ProcessSpec } from '../../src/process/os-process.js';
import { startProcess } from '../../src/process/start-process.js';

export const TERMINAL = { rows: 24, cols: 80 } as const;

export const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: process.env.PATH ?? '/usr/bin:/bin',
  HOME: '/tmp',
  LC_ALL: 'C',
};

export interface Running {
  readonly process: OsProcess;
  /** Resolves at the exit of the process itself. */
  readonly exit: Promise<ExitStatus>;
  /** Resolves at the exit and the end of all output; then everything is disposed of. */
  readonly done: Promise<ExitStatus>;
  /** Output so far. */
  text(stream?: OutputName): string;
  bytes(stream?: OutputName): Buffer;
  /** Resolves when `stdout` holds this text. */
  said(text: string): Promise<void>;
  /** Resolves at the end of one stream. */
  outputEnd(stream: OutputName): Promise<void>;
}

export interface Hooks {
  readonly onOutput?: (process: OsProcess, stream: OutputName, chunk: Buffer) => void;
  /** False keeps no output: for large amounts. Default true. */
  readonly keep?: boolean;
}

export type Start = Partial<ProcessSpec> & Pick<ProcessSpec, 'argv'>;

export async function start(spec: Start, { onOutput, keep = true }: Hooks = {}): Promise<Running> {
  const chunks: Record<OutputName, Buffer[]> = { stdout: [], stderr: [] };
  let waiting: { text: string; resolve: () => void }[] = [];
  const exit = deferred<ExitStatus>();
  const ends = { stdout: deferred<void>(), stderr: deferred<void>() };
  const text = (stream: OutputName = 'stdout'): string => Buffer.concat(chunks[stream]).toString('latin1');
  const started: OsProcess = await startProcess(
    { cwd: '/tmp', env: ENVIRONMENT, stdin: false, ...spec },
    {
      onOutput(stream, chunk) {
        if (keep) chunks[stream].push(Buffer.from(chunk));
        onOutput?.(started, stream, chunk);
        if (waiting.length === 0) return;
        const now = text();
        waiting = waiting.filter(({ text: wanted, resolve }) => {
          if (!now.includes(wanted)) return true;
          resolve();
          return false;
        });
      },
      onOutputEnd: (stream) => ends[stream].resolve(),
      onExit: (status) => exit.resolve(status),
    },
  );
  const done = Promise.all([exit.promise, ...started.outputs.map((name) => ends[name].promise)]).then(([status]) => {
    started.dispose();
    return status;
  });
  return {
    process: started,
    exit: exit.promise,
    done,
    text,
    bytes: (stream = 'stdout') => Buffer.concat(chunks[stream]),
    said: (wanted) =>
      new Promise((resolve) => {
        if (text().includes(wanted)) resolve();
        else waiting.push({ text: wanted, resolve });
      }),
    outputEnd: (stream) => ends[stream].promise,
  };
}

/** Runs a program to its end. */
export async function run(spec: Start, hooks?: Hooks): Promise<Running & { readonly status: ExitStatus }> {
  const running = await start(spec, hooks);
  const status = await running.done;
  return { ...running, status };
}

/** Writes to standard input and waits until the kernel has taken all of it. */
export function write({ process: { stdin } }: Running, chunk: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stdin === undefined) reject(new Error('the process has no stdin'));
    else stdin.write(Buffer.from(chunk), (error) => (error ? reject(error) : resolve()));
  });
}

function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let settle: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, resolve: (value) => settle(value) };
}
