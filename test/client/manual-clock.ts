/** A clock that stands still until a test moves it, and a function that waits until all promises have settled that need no time. Knows no test. */
import type { Cancel, Clock } from '../../client/src/platform.js';

/** Turns of the event loop after which every chain of promises that needs no time has settled. */
const TURNS = 5;

/** Resolves when all promises have settled that need neither time nor input. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class ManualClock implements Clock {
  #now = 0;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Number of timers that wait. */
  get waiting(): number {
    return this.#timers.length;
  }

  /** Moves the clock, runs the timers that are due in their order, and waits after each until promises have settled. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settled();
    }
    this.#now = end;
  }
}
