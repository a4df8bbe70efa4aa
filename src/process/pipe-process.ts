/**
 * Starts one process on pipes and joins its readers, its writer and its exit. It knows nothing of terminals.
 *
 * The child leads a session and a group of its own: pid = pgid = sid.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fchownSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Libc } from './libc.js';
import {
  type ExitStatus,
  type OsProcess,
  type OutputName,
  type ProcessEvents,
  type ProcessSpec,
  SpawnError,
  type StdinWriter,
} from './os-process.js';
import { PipeReader, type PipeReaderEvents } from './pipe-reader.js';
import { PipeWriter, pipeSocket } from './pipe-writer.js';
import { errnoOf, spawnError } from './program-path.js';

const OUTPUTS: readonly OutputName[] = ['stdout', 'stderr'];

/** The server's ends of the child's three pipes; `stdin` only when the child reads one. */
interface Pipes {
  readonly stdin: number | undefined;
  readonly stdout: number;
  readonly stderr: number;
}

/** @throws {SpawnError} when the operating system refuses. */
export async function startPipeProcess(spec: ProcessSpec, events: ProcessEvents, libc: Libc): Promise<OsProcess> {
  if (!libc.realPipes) {
    const child = await spawnChild(spec, [spec.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe']);
    return new PipeProcess(child, events, {
      reader: (name, readerEvents) => PipeReader.ofSocket(socketOf(child[name]), readerEvents),
      writer: () => (spec.stdin ? new PipeWriter(socketOf(child.stdin)) : undefined),
    });
  }
  const { ours, theirs } = openPipes(spec, libc);
  let child: ChildProcess;
  try {
    libc.markAllCloseOnExec();
    child = await spawnChild(spec, [theirs.stdin ?? 'ignore', theirs.stdout, theirs.stderr], () => closeAll(theirs));
  } catch (error) {
    closeAll(ours);
    throw error;
  }
  return new PipeProcess(child, events, {
    reader: (name, readerEvents) => PipeReader.ofPipe(ours[name], readerEvents),
    writer: () => (ours.stdin === undefined ? undefined : new PipeWriter(pipeSocket(ours.stdin))),
  });
}

function openPipes(spec: ProcessSpec, libc: Libc): { ours: Pipes; theirs: Pipes } {
  const opened: number[] = [];
  const open = (): { readEnd: number; writeEnd: number } => {
    const ends = libc.openPipe();
    opened.push(ends.readEnd, ends.writeEnd);
    return ends;
  };
  try {
    const stdin = spec.stdin ? open() : undefined;
    const stdout = open();
    const stderr = open();
    const theirs = { stdin: stdin?.readEnd, stdout: stdout.writeEnd, stderr: stderr.writeEnd };
    // Or that user could not open /dev/stdout by name: a pipe belongs to whoever made it.
    if (spec.runAs !== undefined) {
      const { uid, gid } = spec.runAs;
      for (const fd of descriptorsOf(theirs)) fchownSync(fd, uid, gid);
    }
    return { ours: { stdin: stdin?.writeEnd, stdout: stdout.readEnd, stderr: stderr.readEnd }, theirs };
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error instanceof SpawnError ? error : spawnError('pipes', errnoOf(error) ?? 'EIO');
  }
}

function descriptorsOf(pipes: Pipes): number[] {
  return [pipes.stdin, pipes.stdout, pipes.stderr].filter((fd) => fd !== undefined);
}

function closeAll(pipes: Pipes): void {
  for (const fd of descriptorsOf(pipes)) closeSync(fd);
}

/** @param onForked called in the same tick, whether the start went well or not. */
async function spawnChild(
  spec: ProcessSpec,
  stdio: ('pipe' | 'ignore' | number)[],
  onForked: () => void = () => {},
): Promise<ChildProcess> {
  const [program, ...args] = spec.argv;
  const subject = `program ${JSON.stringify(program)}`;
  let child: ChildProcess;
  try {
    child = spawn(program, args, { cwd: spec.cwd, env: { ...spec.env }, stdio, detached: true });
  } catch (error) {
    throw spawnError(subject, errnoOf(error) ?? 'EINVAL');
  } finally {
    onForked();
  }
  if (child.pid === undefined) {
    // Node tells the reason of some failed starts only in the next tick.
    const error = await new Promise<unknown>((resolve) => child.once('error', resolve));
    throw spawnError(subject, errnoOf(error) ?? 'EAGAIN');
  }
  return child;
}

function socketOf(stream: unknown): Socket {
  if (stream instanceof Socket) return stream;
  throw new SpawnError('the child has no such stream', 'EBADF');
}

interface PipeParts {
  reader(name: OutputName, events: PipeReaderEvents): PipeReader;
  writer(): StdinWriter | undefined;
}

class PipeProcess implements OsProcess {
  readonly pid: number;
  readonly outputs = OUTPUTS;
  readonly stdin: StdinWriter | undefined;
  readonly #readers: Readonly<Record<OutputName, PipeReader>>;
  #disposed = false;

  constructor(child: ChildProcess, events: ProcessEvents, parts: PipeParts) {
    this.pid = child.pid ?? -1;
    const read = (name: OutputName): PipeReader =>
      parts.reader(name, {
        onChunk: (chunk) => events.onOutput(name, chunk),
        onEnd: () => events.onOutputEnd(name),
      });
    this.#readers = { stdout: read('stdout'), stderr: read('stderr') };
    this.stdin = parts.writer();
    child.on('exit', (exitCode, signal) => {
      if (!this.#disposed) events.onExit(statusOf(exitCode, signal));
    });
    // A late error of a child that did start has nobody to go to; without a listener it would end the server.
    child.on('error', () => {});
  }

  pauseOutput(stream: OutputName): void {
    this.#readers[stream].pause();
  }

  resumeOutput(stream: OutputName): void {
    this.#readers[stream].resume();
  }

  cutOutput(stream: OutputName): void {
    this.#readers[stream].cut();
  }

  resize(): void {
    throw new Error('process is not attached to a PTY');
  }

  dispose(): void {
    this.#disposed = true;
    this.stdin?.destroy();
    this.#readers.stdout.destroy();
    this.#readers.stderr.destroy();
  }
}

function statusOf(exitCode: number | null, signal: string | null): ExitStatus {
  return signal === null ? { exitCode: exitCode ?? 0, signal: null } : { exitCode: null, signal };
}
