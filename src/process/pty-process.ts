/**
 * Starts one process on a terminal of its own and joins its reader, its writer and its exit. It knows nothing of pipes.
 *
 *   starting ──spawn─▶ running ──leader's exit──▶ exited: the server closes its slave ──no process holds the slave──▶ output ends
 *
 * The child leads a session and its foreground group: pid = pgid = sid.
 */
import { closeSync } from 'node:fs';
import type { Libc } from './libc.js';
import type { OpenedPty } from './opened-pty.js';
import type { ExitStatus, OsProcess, OutputName, ProcessEvents, ProcessSpec, TerminalSize } from './os-process.js';
import { type OwnChild, ownChild } from './own-children.js';
import { pidsLeft } from './pids-left.js';
import { forkPty } from './pty-fork.js';
import { PtyReader } from './pty-reader.js';
import { spawnPty } from './pty-spawn.js';
import { PtyWriter } from './pty-writer.js';

const OUTPUTS: readonly OutputName[] = ['stdout'];

/**
 * @param countPidsLeft used only if the terminal has to be forked
 * @throws {SpawnError} when there is no way to get a terminal, or the operating system refuses
 * @throws {ShortageError} `pids`
 */
export async function startPtyProcess(
  spec: ProcessSpec & { readonly tty: TerminalSize; readonly file?: string },
  events: ProcessEvents,
  libc: Libc,
  countPidsLeft: () => number | undefined = pidsLeft,
): Promise<OsProcess> {
  const { terminals: calls, spawnChild } = libc;
  // An exit is reported by a later turn of the event loop; `started` is set by then.
  let started: PtyProcess | undefined;
  const onExit = (status: ExitStatus): void => started?.leaderExited(status);
  const pty =
    calls === undefined || spawnChild === undefined
      ? await forkPty(spec, { libc, countPidsLeft }, onExit)
      : await spawnPty(spec, { calls, spawnChild }, onExit);
  started = new PtyProcess(pty, events, libc);
  return started;
}

class PtyProcess implements OsProcess {
  readonly pid: number;
  readonly outputs = OUTPUTS;
  readonly stdin: PtyWriter;
  readonly #pty: OpenedPty;
  readonly #events: ProcessEvents;
  readonly #reader: PtyReader;
  readonly #child: OwnChild | undefined;
  #slaveHeld = true;
  #masterOpen = true;
  #disposed = false;

  constructor(pty: OpenedPty, events: ProcessEvents, libc: Libc) {
    this.pid = pty.pid;
    this.#child = ownChild(pty.pid);
    this.#pty = pty;
    this.#events = events;
    this.stdin = new PtyWriter(pty.master, () => libc.terminals?.terminalInput(pty.master));
    this.#reader = new PtyReader(pty.master, {
      onChunk: (chunk) => events.onOutput('stdout', chunk),
      onClosing: () => this.#onMasterClosing(),
      onEnd: () => events.onOutputEnd('stdout'),
    });
  }

  /** From now on a hang-up means that no process holds the terminal any more. Its remaining content can be read at any later time. */
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
    this.#child?.release();
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
