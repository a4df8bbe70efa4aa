/** Measures how late the event loop is: by how much a regular timer fires too late. Knows nothing of limits. */

/** Often enough to see a lag of a quarter of a second, rare enough to cost nothing. */
const SAMPLE_EVERY_MS = 100;
/** Samples that count: the present state is the worst of the last second. */
const SAMPLES = 10;

/** Measures the delay of this process's event loop while it runs. */
export class EventLoopDelay {
  readonly #delaysMs: number[] = [];
  #expectedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    this.#expectedAtMs = performance.now() + SAMPLE_EVERY_MS;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Worst delay of the last second in milliseconds, including one that is still going on. */
  get maxMs(): number {
    return Math.max(0, performance.now() - this.#expectedAtMs, ...this.#delaysMs);
  }

  #sample(): void {
    const nowMs = performance.now();
    this.#delaysMs.push(Math.max(0, nowMs - this.#expectedAtMs));
    if (this.#delaysMs.length > SAMPLES) this.#delaysMs.shift();
    this.#expectedAtMs = nowMs + SAMPLE_EVERY_MS;
  }
}
