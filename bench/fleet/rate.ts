/** How many events fell into each tenth of a second, and the busiest second of them. Knows no model. */
import { SECOND_MS } from './assumptions.js';

/** Milliseconds of a bin. */
export const BIN_MS = 100;
const BINS_A_SECOND = SECOND_MS / BIN_MS;

/** Counts events by their time. */
export class Rate {
  /** Bins with events: a month of rare crashes has 26 million empty ones. */
  readonly #bins = new Map<number, number>();

  /** @param time milliseconds from 0 */
  count(time: number): void {
    const bin = Math.floor(time / BIN_MS);
    this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + 1);
  }

  /** Events of each tenth of a second, empty ones included. */
  perBin(): number[] {
    const last = this.#sorted(0).at(-1);
    return last === undefined ? [] : Array.from({ length: last + 1 }, (_, bin) => this.#bins.get(bin) ?? 0);
  }

  /** Most events in one tenth of a second from a time on. */
  busiestBin(fromMs = 0): number {
    return this.#sorted(fromMs).reduce((most, bin) => Math.max(most, this.#bins.get(bin) ?? 0), 0);
  }

  /** Most events in one second, which may begin at any tenth, from a time on. */
  busiestSecond(fromMs = 0): number {
    const bins = this.#sorted(fromMs);
    let first = 0;
    let sum = 0;
    let most = 0;
    for (const bin of bins) {
      sum += this.#bins.get(bin) ?? 0;
      for (; (bins[first] ?? bin) <= bin - BINS_A_SECOND; first += 1) sum -= this.#bins.get(bins[first] ?? bin) ?? 0;
      most = Math.max(most, sum);
    }
    return most;
  }

  #sorted(fromMs: number): number[] {
    const least = Math.floor(fromMs / BIN_MS);
    return [...this.#bins.keys()].filter((bin) => bin >= least).sort((one, other) => one - other);
  }
}
