/** Where forgotten bytes of a log go. Knows no log. */

/** Gets the bytes that are about to be forgotten, for instance a screen that parses them. */
export interface ForgottenBytes {
  /** Bytes it has not processed yet; they are held in memory, too. */
  readonly pendingBytes: number;
  /** Whether the source should wait until {@link onRoom}. */
  readonly isFull: boolean;
  onRoom: (() => void) | undefined;
  /** @param bytes lent */
  take(bytes: Buffer, offset: number): void;
}
