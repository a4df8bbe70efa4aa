/**
 * How long a peer may still take held bytes when its connection ends: as long as it keeps taking some, up to a bound. A transport asks after its
 * Close; the drain asks for connections that have no Close yet. Knows no transport.
 */
import { ServedTime } from './served-time.js';

/** How long a peer may take nothing. @see PROTOCOL "Drain" */
const FLUSH_STALL_MS = 5000;
/** How long a peer may take in all. Without this bound a peer that takes a byte every few seconds would keep the server for ever. */
export const FLUSH_TOTAL_MS = 60_000;
const LOOK_EVERY_MS = 250;

/** Follows the bytes that a peer takes. */
export class FlushLimit {
  readonly #time: ServedTime;
  #progressBytes: number;
  #movedAtMs = 0;

  /**
   * @param progressBytes taken so far
   * @param lookEveryMs milliseconds between two questions
   */
  constructor(progressBytes: number, lookEveryMs: number = LOOK_EVERY_MS) {
    this.#progressBytes = progressBytes;
    this.#time = new ServedTime(lookEveryMs);
  }

  /** Whether the time of the peer is over. Must be asked regularly. @param progressBytes taken by now */
  isOver(progressBytes: number): boolean {
    const nowMs = this.#time.look();
    if (progressBytes > this.#progressBytes) {
      this.#progressBytes = progressBytes;
      this.#movedAtMs = nowMs;
    }
    return nowMs - this.#movedAtMs >= FLUSH_STALL_MS || nowMs >= FLUSH_TOTAL_MS;
  }
}

/** Looks by itself, and calls back once when the time of the peer is over. @returns a function that stops the looking */
export function watchFlush(progressBytes: () => number, onOver: () => void): () => void {
  const limit = new FlushLimit(progressBytes());
  const timer = setInterval(() => {
    if (!limit.isOver(progressBytes())) return;
    clearInterval(timer);
    onOver();
  }, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}
