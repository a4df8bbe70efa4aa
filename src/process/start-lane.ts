/**
 * Lets a few starts at a time onto threads, so that starts whose file system does not answer cannot hold all threads. It knows nothing of processes.
 */
import { ShortageError } from './os-process.js';

/**
 * If no start has ended for so long, in ms, waiting starts are refused, because those under way wait for a file system. A start takes a fraction of a
 * millisecond.
 */
const STANDSTILL_MS = 2000;

interface Waiting {
  go(): void;
  refuse(error: Error): void;
}

export class StartLane {
  readonly #places: () => number;
  readonly #standstillMs: number;
  readonly #waiting: Waiting[] = [];
  #underWay = 0;
  #standstill: NodeJS.Timeout | undefined;

  /** @param places how many starts at a time; asked at every start. */
  constructor(places: () => number, { standstillMs = STANDSTILL_MS }: { standstillMs?: number } = {}) {
    this.#places = places;
    this.#standstillMs = standstillMs;
  }

  /** Starts under way that have not ended. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Does some work that uses one thread at a time, in its turn. @throws {ShortageError} `starts` when no start ends */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#places()) await this.#turn();
    else this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #turn(): Promise<void> {
    this.#standstill ??= this.#watch();
    return new Promise((go, refuse) => this.#waiting.push({ go, refuse }));
  }

  /** Passes its place on to the next start. */
  #leave(): void {
    clearTimeout(this.#standstill);
    this.#standstill = undefined;
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#underWay -= 1;
      return;
    }
    next.go();
    if (this.#waiting.length > 0) this.#standstill = this.#watch();
  }

  #watch(): NodeJS.Timeout {
    const watch = setTimeout(() => {
      // After a standstill of this process the timer is due before the events of that time were handled.
      setImmediate(() => {
        if (this.#standstill !== watch) return;
        this.#standstill = undefined;
        for (const { refuse } of this.#waiting.splice(0)) refuse(new ShortageError('starts'));
      });
    }, this.#standstillMs);
    return watch;
  }
}
