/**
 * To whom commands belong, and that they end together: what starts under one owner carries its marker, and closing it kills all of that with
 * everything it left behind. One connection is the owner of its ordinary commands; a command that outlives connections has an owner of its own.
 */
import type { RunningCommand } from './running-command.js';

export class Owner {
  /** In front of the marker of everything it starts; no other owner's begins so. */
  readonly markerPrefix: string;
  /** Those that have not ended, in the order of their start. */
  readonly running = new Set<RunningCommand>();
  readonly #kill: (pids: readonly number[], markerPrefix: string) => void;
  #isClosed = false;

  /** @param kill kills these leaders with their descendants, and everything that carries a marker beginning so */
  constructor(markerPrefix: string, kill: (pids: readonly number[], markerPrefix: string) => void) {
    this.markerPrefix = markerPrefix;
    this.#kill = kill;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Ends everything it started: what runs, and what earlier commands left behind. */
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
