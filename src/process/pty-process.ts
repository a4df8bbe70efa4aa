/**
 * Starts one process on a terminal of its own and joins its reader, its writer and its exit. It knows nothing of pipes.
 *
 *   starting ──fork──▶ running ──leader's exit──▶ exited: our slave is closed ──nobody holds the slave──▶ output end
 *
 * The child leads a session and its foreground group: pid = pgid = sid.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Libc } from './libc.js';
import type { ExitStatus, OsProcess, OutputName, ProcessEvents, ProcessSpec, TerminalSize } from './os-process.js';
import { type OpenedPty, openPty } from './pty-open.js';
import { PtyReader } from './pty-reader.js';
import { PtyWriter } from './pty-writer.js';

const OUTPUTS: readonly OutputName[] = ['stdout'];
/** What a shell adds to a signal's number for an exit code. */
const SIGNAL_EXIT_BASE = 128;

/** @throws {SpawnError} when node-pty is missing or the operating system refuses. */
export async function startPtyProcess(
  spec: ProcessSpec & { readonly tty: TerminalSize },
  events: ProcessEvents,
  libc: Libc,
): Promise<OsProcess> {
  let onExit: (exitCode: number, signal: number) => void = () => {};
  const pty = await openPty(spec, libc, (exitCode, signal) => onExit(exitCode, signal));
  const started = new PtyProcess(pty, events, libc);
  // The exit is reported by a turn of the event loop, never within this one.
  onExit = (exitCode, signal) => started.leaderExited(statusOf(exitCode, signal));
  return started;
}

class PtyProcess implements OsProcess {
  readonly pid: number;
  readonly outputs = OUTPUTS;
  readonly stdin: PtyWriter;
  readonly #pty: OpenedPty;
  readonly #events: ProcessEvents;
  readonly #reader: PtyReader;
  #slaveHeld = true;
  #masterOpen = true;
  #disposed = false;

  constructor(pty: OpenedPty, events: ProcessEvents, libc: Libc) {
    this.pid = pty.pid;
    this.#pty = pty;
    this.#events = events;
    this.stdin = new PtyWriter(pty.master, () => libc.terminalInput(pty.master));
    this.#reader = new PtyReader(pty.master, {
      onChunk: (chunk) => events.onOutput('stdout', chunk),
      onClosing: () => this.#onMasterClosing(),
      onEnd: () => events.onOutputEnd('stdout'),
    });
  }

  /** From here on a hang-up means that nobody holds the terminal any more. What it still holds can be read at any later time. */
  leaderExited(status: ExitStatus): void {
    this.#releaseSlave();
    if (!this.#disposed) this.#events.onExit(status);
  }

  pauseOutput(): void {
    this.#reader.pause();
  }

  resumeOutput(): void {
    this.#reader.resume();
  }

  cutOutput(): void {
    this.#reader.cut();
  }

  resize(size: TerminalSize): void {
    if (this.#masterOpen) this.#pty.resize(size);
  }

  dispose(): void {
    this.#disposed = true;
    this.#reader.destroy();
  }

  #onMasterClosing(): void {
    this.#masterOpen = false;
    this.stdin.destroy();
    this.#releaseSlave();
  }

  #releaseSlave(): void {
    if (!this.#slaveHeld) return;
    this.#slaveHeld = false;
    closeSync(this.#pty.slave);
  }
}

function statusOf(exitCode: number, signal: number): ExitStatus {
  if (signal === 0) return { exitCode, signal: null };
  for (const [name, number] of Object.entries(constants.signals)) {
    if (number === signal) return { exitCode: null, signal: name };
  }
  // A real-time signal has no name in Node.
  return { exitCode: SIGNAL_EXIT_BASE + signal, signal: null };
}
