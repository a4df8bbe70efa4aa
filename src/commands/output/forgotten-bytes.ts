/** Where the bytes go that a log forgets. Knows no log. */

/** Gets the bytes that are about to be forgotten, such as a screen that folds them. */
export interface ForgottenBytes {
  /** Bytes it has not worked on yet; they are held in memory, too. */
  readonly pendingBytes: number;
  /** Whether the source should wait until {@link onRoom}. */
  readonly isFull: boolean;
  onRoom: (() => void) | undefined;
  /** @param bytes lent */
  take(bytes: Buffer, offset: number): void;
}
