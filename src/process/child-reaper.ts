/**
 * Learns how children ended that Node does not know of, and reaps them. It knows nothing of how they were started.
 *
 * Each child is asked for by its pid: `waitpid(-1)` would take the children of libuv and node-pty from them. One SIGCHLD may stand
 * for many exits, so every signal asks for all.
 */
import { constants } from 'node:os';
import type { ExitStatus } from './os-process.js';

/**
 * Raw status of a child that has ended (wait(2)), and it is a zombie no more; undefined while it runs; null when it is no child of
 * ours, or has been reaped by somebody else.
 */
export type Reap = (pid: number) => number | null | undefined;

/**
 * While children run, look this often without a signal. The timer keeps the event loop alive until they have ended, as Node's own
 * children do, which a signal listener does not.
 */
const LOOK_EVERY_MS = 1000;
/** Of a child whose status somebody else has taken. */
const LOST: ExitStatus = { exitCode: 255, signal: null };
/** glibc keeps 32 and 33 for itself; from here on signals have no names but `SIGRTMIN+n`. */
const SIGRTMIN = 34;

// Some numbers have two names, SIGABRT and SIGIOT: the first counts, as with Node's own children.
const signalNames = new Map(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, number]) => [number, name]),
);

export class ChildReaper {
  readonly #reap: Reap;
  readonly #running = new Map<number, (status: ExitStatus) => void>();
  #timer: NodeJS.Timeout | undefined;

  /** Listens for SIGCHLD from now on: no child may be started before. */
  constructor(reap: Reap) {
    this.#reap = reap;
    process.on('SIGCHLD', () => this.look());
  }

  /** Calls back once, from a later turn of the event loop, when this child has ended. */
  watch(pid: number, onExit: (status: ExitStatus) => void): void {
    this.#running.set(pid, onExit);
    this.#timer ??= setInterval(() => this.look(), LOOK_EVERY_MS);
    // Its signal may have come before its pid: another thread started it.
    setImmediate(() => this.#ask(pid));
  }

  /** Asks for every child. */
  look(): void {
    for (const pid of this.#running.keys()) this.#ask(pid);
  }

  #ask(pid: number): void {
    const onExit = this.#running.get(pid);
    if (onExit === undefined) return;
    const status = this.#reap(pid);
    if (status === undefined) return;
    this.#running.delete(pid);
    if (this.#running.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    onExit(status === null ? LOST : decodeStatus(status));
  }
}

/** What a raw status says. A real-time signal is called `SIGRTMIN`, `SIGRTMIN+1` and so on. */
export function decodeStatus(status: number): ExitStatus {
  const signalNumber = status & 0x7f;
  if (signalNumber === 0) return { exitCode: (status >> 8) & 0xff, signal: null };
  const signal = signalNames.get(signalNumber);
  return signal === undefined
    ? { exitCode: null, signal: nameOfUnnamed(signalNumber), signalNumber }
    : { exitCode: null, signal };
}

function nameOfUnnamed(signalNumber: number): string {
  if (signalNumber < SIGRTMIN) return `SIG${signalNumber}`;
  return signalNumber === SIGRTMIN ? 'SIGRTMIN' : `SIGRTMIN+${signalNumber - SIGRTMIN}`;
}
