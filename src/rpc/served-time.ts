/**
 * Counts only the time in which this process ran. A server that stood still (SIGSTOP, a paused container, a machine that was moved) could not receive
 * anything from its peers, so it must not end their connections because of that time. Knows no connection.
 */

/** How many looks {@link afterServing} takes until its time is over, and the longest time between two of them. */
const LOOKS_PER_LIMIT = 4;
const MAX_LOOK_EVERY_MS = 2000;
/** A look that is later than this counts as late, however rare the looks are: a busy machine is not late by so much. */
const MAX_LATE_MS = 1000;

/** A clock that must be looked at regularly. It does not count the time in which the process could not look. */
export class ServedTime {
  readonly #longestMs: number;
  #lookedAtMs = performance.now();
  #nowMs = 0;

  /** @param lookEveryMs interval of the looks. If a look is late by as much again, or by 1 s, the time before it counts for nothing. */
  constructor(lookEveryMs: number) {
    this.#longestMs = lookEveryMs + Math.min(lookEveryMs, MAX_LATE_MS);
  }

  /** Milliseconds of service by the last look. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** @returns the time, with what has passed since the last look */
  look(): number {
    const atMs = performance.now();
    const passedMs = atMs - this.#lookedAtMs;
    this.#lookedAtMs = atMs;
    if (passedMs <= this.#longestMs) this.#nowMs += passedMs;
    return this.#nowMs;
  }
}

/** Calls back once after so many milliseconds of service. @returns a function that cancels it */
export function afterServing(ms: number, callback: () => void): () => void {
  const lookEveryMs = Math.min(ms / LOOKS_PER_LIMIT, MAX_LOOK_EVERY_MS);
  const time = new ServedTime(lookEveryMs);
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    timer = setTimeout(() => {
      if (time.look() >= ms) callback();
      else wait();
    }, lookEveryMs);
  };
  wait();
  return () => clearTimeout(timer);
}
