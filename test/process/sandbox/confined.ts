/** Runs commands in sandboxes of the sources and gathers their output and exit codes. Knows no case. */
import { loadLibc } from '../../../src/process/libc.js';
import { type OsProcess, type ProcessSpec, SpawnError } from '../../../src/process/os-process.js';
import { ownChild } from '../../../src/process/own-children.js';
import type { SandboxPolicy } from '../../../src/process/sandbox/sandbox-policy.js';
import { Sandboxes, type SandboxesOptions } from '../../../src/process/sandbox/sandboxes.js';
import { startProcessIn } from '../../../src/process/start-process.js';

/** @param script of the thread */
export function sandboxesOf(script: string, options: Partial<SandboxesOptions> = {}): Sandboxes {
  return new Sandboxes({ script, libc: loadLibc, ...options });
}

export type Confined = Omit<ProcessSpec, 'stdin' | 'sandbox'> & {
  readonly policy: SandboxPolicy;
  readonly owner: object;
  readonly types?: readonly [when: string, bytes: string][];
};

/** @returns `EXITCODE OUTPUT` with lines joined by a blank, or `ERRNO MESSAGE` of a start that failed */
export async function runConfined(
  sandboxes: Sandboxes,
  { policy, owner, types = [], ...spec }: Confined,
): Promise<string> {
  const chunks: Buffer[] = [];
  const typing = [...types];
  let started: OsProcess | undefined;
  let waiting = 0;
  let exitCode = -1;
  let over: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    over = resolve;
  });
  const type = (): void => {
    const next = typing[0];
    if (next === undefined || started?.stdin === undefined || !text(chunks).includes(next[0])) return;
    typing.shift();
    chunks.push(Buffer.from('\n'));
    started.stdin.write(Buffer.from(next[1]), () => {});
  };
  const onPartEnded = (): void => {
    waiting -= 1;
    if (waiting === 0) over();
  };
  try {
    const start = startProcessIn(sandboxes);
    waiting = spec.tty === undefined ? 3 : 2;
    started = await start(
      { ...spec, stdin: false, sandbox: { policy, owner } },
      {
        onOutput: (_stream, chunk) => {
          chunks.push(Buffer.from(chunk));
          type();
        },
        onOutputEnd: onPartEnded,
        onExit: ({ exitCode: code, signalNumber, signal }) => {
          exitCode = code ?? 128 + (signalNumber ?? SIGNALS[signal ?? ''] ?? 0);
          onPartEnded();
        },
      },
    );
    type();
  } catch (error) {
    if (error instanceof SpawnError) return `${error.errno} ${error.message}`;
    return `${error instanceof Error ? `${error.name} ${error.message}` : error}`;
  }
  await done;
  started.dispose();
  ownChild(started.pid)?.release();
  return `${exitCode} ${text(chunks)
    .trim()
    .replaceAll(/\s*[\r\n]+/g, ' ')}`;
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGTERM: 15,
  SIGKILL: 9,
  SIGINT: 2,
  SIGHUP: 1,
  SIGSYS: 31,
  SIGABRT: 6,
};

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('latin1');
}
