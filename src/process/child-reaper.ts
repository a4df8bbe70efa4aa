/**
 * Learns how children ended that Node does not know of, and reaps them when their number is not needed any more. It knows nothing of how they were
 * started.
 *
 *   running ──ends──► zombie: its end was reported, its number is kept ──released──► reaped
 *      └──────released before its end: reaped as soon as it ends──────────────────────▲
 *
 * Each child is asked for by its pid, because `waitpid(-1)` would also take the children of libuv and node-pty. One SIGCHLD may stand for many exits,
 * so each signal asks for all children, once a turn of the event loop.
 */
import { constants } from 'node:os';
import type { ChildCalls } from './child-calls.js';
import type { ExitStatus } from './os-process.js';
import { addOwnChild, type OwnChild, removeOwnChild } from './own-children.js';

/**
 * While children run, look this often even without a signal. The timer also keeps the event loop alive until they have ended, as Node's own children
 * do; a signal listener does not.
 */
const LOOK_EVERY_MS = 1000;
/** The status of a child that was reaped elsewhere. */
const LOST: ExitStatus = { exitCode: 255, signal: null };
/** glibc's names of the two signals that it keeps for itself (sysdeps/unix/sysv/linux/internal-signals.h). */
const INTERNAL_SIGNALS: ReadonlyMap<number, string> = new Map([
  [32, 'SIGCANCEL'],
  [33, 'SIGSETXID'],
]);
/** From here on a signal's only name is `SIGRTMIN+n`. */
const SIGRTMIN = 34;

// Some numbers have two names, such as SIGABRT and SIGIOT. The first counts, as for Node's own children.
const signalNames = new Map(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** The calls that the reaper needs. */
export type ReaperCalls = Pick<ChildCalls, 'peek' | 'reap'>;

export class ChildReaper {
  readonly #calls: ReaperCalls;
  readonly #running = new Map<HeldChild, (status: ExitStatus) => void>();
  #timer: NodeJS.Timeout | undefined;
  #looksSoon = false;

  /** Listens for SIGCHLD from now on. Must exist before the first child is started. */
  constructor(calls: ReaperCalls) {
    this.#calls = calls;
    process.on('SIGCHLD', () => this.#lookSoon());
  }

  /** Calls back once, from a later turn of the event loop, when this child has ended. The child stays a zombie until it is released. */
  watch(pid: number, onExit: (status: ExitStatus) => void): OwnChild {
    const child = new HeldChild(pid, this.#calls);
    addOwnChild(child);
    this.#running.set(child, onExit);
    this.#timer ??= setInterval(() => this.look(), LOOK_EVERY_MS);
    // The signal may have come before this call, because another thread started the child.
    setImmediate(() => this.#ask(child));
    return child;
  }

  /** Asks for every child. */
  look(): void {
    for (const child of this.#running.keys()) this.#ask(child);
  }

  #ask(child: HeldChild): void {
    const onExit = this.#running.get(child);
    if (onExit === undefined) return;
    const status = this.#calls.peek(child.pid);
    if (status === undefined) return;
    this.#running.delete(child);
    if (this.#running.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    child.noteEnd();
    onExit(status === null ? LOST : decodeStatus(status));
  }

  /** Once a turn, because a command can send the signal as often as it likes. */
  #lookSoon(): void {
    if (this.#looksSoon) return;
    this.#looksSoon = true;
    setImmediate(() => {
      this.#looksSoon = false;
      this.look();
    });
  }
}

/** A child that only this process reaps. */
class HeldChild implements OwnChild {
  readonly pid: number;
  readonly isHeld = true;
  isReaped = false;
  readonly #calls: ReaperCalls;
  #endIsNoted = false;
  #isReleased = false;
  #keepers = 0;

  constructor(pid: number, calls: ReaperCalls) {
    this.pid = pid;
    this.#calls = calls;
  }

  hasEnded(): boolean {
    return this.#endIsNoted || this.#calls.peek(this.pid) !== undefined;
  }

  release(): void {
    this.#isReleased = true;
    this.#reapIfDue();
  }

  keep(): () => void {
    this.#keepers += 1;
    return () => {
      this.#keepers -= 1;
      this.#reapIfDue();
    };
  }

  noteEnd(): void {
    this.#endIsNoted = true;
    this.#reapIfDue();
  }

  #reapIfDue(): void {
    if (!this.#isReleased || this.#keepers > 0 || !this.#endIsNoted || this.isReaped) return;
    this.isReaped = true;
    this.#calls.reap(this.pid);
    removeOwnChild(this);
  }
}

/** Decodes a raw status. A real-time signal is called `SIGRTMIN`, `SIGRTMIN+1` and so on. */
export function decodeStatus(status: number): ExitStatus {
  const signalNumber = status & 0x7f;
  if (signalNumber === 0) return { exitCode: (status >> 8) & 0xff, signal: null };
  const signal = signalNames.get(signalNumber);
  return signal === undefined
    ? { exitCode: null, signal: nameOfUnnamed(signalNumber), signalNumber }
    : { exitCode: null, signal };
}

function nameOfUnnamed(signalNumber: number): string {
  if (signalNumber < SIGRTMIN) return INTERNAL_SIGNALS.get(signalNumber) ?? `SIG${signalNumber}`;
  return signalNumber === SIGRTMIN ? 'SIGRTMIN' : `SIGRTMIN+${signalNumber - SIGRTMIN}`;
}
