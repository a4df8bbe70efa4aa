/**
 * Owners of commands. All commands of an owner end together: they carry its marker, and closing it kills them with everything they left behind. A
 * connection is the owner of its ordinary commands; a command that outlives connections has an owner of its own.
 */
import type { RunningCommand } from './running-command.js';

export class Owner {
  /** Every marker of its processes begins with this; no marker of another owner does. */
  readonly markerPrefix: string;
  /** Commands that have not ended, in the order of their start. */
  readonly running = new Set<RunningCommand>();
  readonly #kill: (pids: readonly number[], markerPrefix: string) => void;
  #isClosed = false;

  /** @param kill kills these leaders with their descendants, and every process whose marker begins with this prefix */
  constructor(markerPrefix: string, kill: (pids: readonly number[], markerPrefix: string) => void) {
    this.markerPrefix = markerPrefix;
    this.#kill = kill;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Ends everything it started: running commands, and leftovers of earlier ones. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const pids: number[] = [];
    for (const { command } of this.running) {
      command.abandon();
      if (command.pid !== undefined) pids.push(command.pid);
    }
    this.#kill(pids, this.markerPrefix);
  }
}
