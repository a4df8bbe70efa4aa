/**
 * Gives up transfers whose other side takes or gives next to nothing: otherwise a few such clients would hold all places. Knows no socket.
 */
import { afterServing } from '../rpc/served-time.js';

/** Any link that carries a file is faster; the same as for messages. */
const SLOWEST_BYTES_PER_SECOND = 1024;
const MS_PER_SECOND = 1000;

export interface PaceOptions {
  /** Milliseconds between two looks; 0: never. */
  readonly stallTimeoutMs: number;
  /** Bytes that the other side has taken or given so far. */
  readonly movedBytes: () => number;
  /** Whether this side waits for the other one, and not for its own disk. */
  readonly isWaiting: () => boolean;
  readonly giveUp: () => void;
}

/** Looks again and again. Time in which this process stood still does not count. @returns to be called at the end of the transfer */
export function watchPace({ stallTimeoutMs, movedBytes, isWaiting, giveUp }: PaceOptions): () => void {
  if (stallTimeoutMs === 0) return () => {};
  const leastBytes = (SLOWEST_BYTES_PER_SECOND * stallTimeoutMs) / MS_PER_SECOND;
  let cancel = (): void => {};
  const look = (before: number): void => {
    cancel = afterServing(stallTimeoutMs, () => {
      const moved = movedBytes();
      if (isWaiting() && moved - before < leastBytes) giveUp();
      else look(moved);
    });
  };
  look(movedBytes());
  return () => cancel();
}
