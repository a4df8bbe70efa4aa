/** How many restricted threads a server may have, with the reasons. It knows no thread. */

/** Bounds on threads. */
export interface PoolBounds {
  /** Kept without a command of theirs running. Default 8: 7 MB each. */
  readonly idle: number;
  /** At one time, idle ones included. Default 32. */
  readonly all: number;
  /**
   * Ever started. Default 5000: each leaves 35 KB that neither Node nor koffi frees. If `callMemory` does not find koffi's memory, each also
   * leaves 3 of the 65,530 memory maps that a process may have, and koffi aborts the process when none is left.
   */
  readonly ever: number;
  /** How long a start waits, in milliseconds, while all threads are busy starting something. Default 10 s. */
  readonly waitMs: number;
}

export const DEFAULT_POOL_BOUNDS: PoolBounds = { idle: 8, all: 32, ever: 5000, waitMs: 10_000 };
