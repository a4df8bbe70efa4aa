/**
 * Starts one process on pipes and joins its readers, its writer and its exit. It knows nothing of terminals.
 *
 * The child leads a session and a group of its own: pid = pgid = sid.
 */
import { closeSync, fchownSync } from 'node:fs';
import type { Libc } from './libc.js';
import { socketOf, spawnByNode } from './node-spawn.js';
import {
  type ExitStatus,
  type OsProcess,
  type OutputName,
  type ProcessEvents,
  type ProcessSpec,
  SpawnError,
  type StdinWriter,
} from './os-process.js';
import { type OwnChild, ownChild } from './own-children.js';
import { PipeReader, type PipeReaderEvents } from './pipe-reader.js';
import { PipeWriter, pipeSocket } from './pipe-writer.js';
import { errnoOf, spawnError } from './program-path.js';
import { startChild } from './start-child.js';

const OUTPUTS: readonly OutputName[] = ['stdout', 'stderr'];

/** One side's ends of the child's three pipes; `stdin` only when the child reads one. */
interface Pipes {
  readonly stdin: number | undefined;
  readonly stdout: number;
  readonly stderr: number;
}

/** @throws {SpawnError} when the operating system refuses. */
export async function startPipeProcess(
  spec: ProcessSpec & { readonly file?: string },
  events: ProcessEvents,
  libc: Libc,
): Promise<OsProcess> {
  // An exit is reported by a later turn of the event loop; `started` is set by then.
  let started: PipeProcess | undefined;
  const onExit = (status: ExitStatus): void => started?.leaderExited(status);
  if (!libc.realPipes) {
    const { child, pid } = await spawnByNode(spec, [spec.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'], onExit);
    started = new PipeProcess(pid, events, {
      reader: (name, readerEvents) => PipeReader.ofSocket(socketOf(child[name]), readerEvents),
      writer: () => (spec.stdin ? new PipeWriter(socketOf(child.stdin)) : undefined),
    });
    return started;
  }
  const { ours, theirs } = openPipes(spec, libc);
  const { spawnChild } = libc;
  let pid: number;
  try {
    pid =
      spawnChild === undefined
        ? await spawnOnPipes(spec, theirs, libc, onExit)
        : await startChild(spec, theirs, spawnChild, onExit);
  } catch (error) {
    closeAll(ours);
    throw error;
  } finally {
    closeAll(theirs);
  }
  started = new PipeProcess(pid, events, {
    reader: (name, readerEvents) => PipeReader.ofPipe(ours[name], readerEvents),
    writer: () => (ours.stdin === undefined ? undefined : new PipeWriter(pipeSocket(ours.stdin))),
  });
  return started;
}

/** @returns the pid. @throws {SpawnError} when the operating system refuses. */
async function spawnOnPipes(
  spec: ProcessSpec,
  { stdin, stdout, stderr }: Pipes,
  libc: Libc,
  onExit: (status: ExitStatus) => void,
): Promise<number> {
  libc.markAllCloseOnExec();
  return (await spawnByNode(spec, [stdin ?? 'ignore', stdout, stderr], onExit)).pid;
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
    // Otherwise that user could not open /dev/stdout by name: a pipe belongs to the user that made it.
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

interface PipeParts {
  reader(name: OutputName, events: PipeReaderEvents): PipeReader;
  writer(): StdinWriter | undefined;
}

class PipeProcess implements OsProcess {
  readonly pid: number;
  readonly outputs = OUTPUTS;
  readonly stdin: StdinWriter | undefined;
  readonly #readers: Readonly<Record<OutputName, PipeReader>>;
  readonly #events: ProcessEvents;
  readonly #child: OwnChild | undefined;
  #disposed = false;

  constructor(pid: number, events: ProcessEvents, parts: PipeParts) {
    this.pid = pid;
    this.#child = ownChild(pid);
    this.#events = events;
    const read = (name: OutputName): PipeReader =>
      parts.reader(name, {
        onChunk: (chunk) => events.onOutput(name, chunk),
        onEnd: () => events.onOutputEnd(name),
      });
    this.#readers = { stdout: read('stdout'), stderr: read('stderr') };
    this.stdin = parts.writer();
  }

  leaderExited(status: ExitStatus): void {
    if (!this.#disposed) this.#events.onExit(status);
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
    this.#child?.release();
  }
}
