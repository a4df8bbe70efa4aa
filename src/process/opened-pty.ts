/** A child on a new terminal as its owner sees it, however it was started. */
import type { TerminalSize } from './os-process.js';

/** A child on its own terminal. Both descriptors belong to the caller. */
export interface OpenedPty {
  readonly pid: number;
  /** The server's side; non-blocking. */
  readonly master: number;
  /** The child's side, held open so that no hang-up can come before its exit. Closed after the exit. */
  readonly slave: number;
  /** Sets the window size through the master. */
  resize(size: TerminalSize): void;
}
