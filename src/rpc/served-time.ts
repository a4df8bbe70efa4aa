/**
 * Time as a peer may be held to it: that in which this process ran. A server that stood still (SIGSTOP, a paused container, a machine that
 * was moved) has not heard its peers, and must not end their connections for its own silence. Knows no connection.
 */

/** Looks at a limit that has no look of its own, and the longest time between two of them. */
const LOOKS_PER_LIMIT = 4;
const MAX_LOOK_EVERY_MS = 2000;
/** A look that is later than this is late however rarely there is one: a busy machine is, too, but not by so much. */
const MAX_LATE_MS = 1000;

/** A clock that is looked at regularly, and stands still while nobody can look. */
export class ServedTime {
  readonly #longestMs: number;
  #lookedAtMs = performance.now();
  #nowMs = 0;

  /** @param lookEveryMs interval of the looks; what passed until one that is late by as much again, or by 1 s, counts for nothing */
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

/** Calls back once after so many milliseconds of service. @returns takes it back */
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
