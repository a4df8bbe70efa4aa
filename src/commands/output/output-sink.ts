/** Where the output of one stream goes: to viewers, or into memory for the reply. Knows no process. */

/** Takes one stream's bytes, in order. */
export interface OutputSink {
  /** Bytes the process wrote to this stream, dropped ones included. */
  readonly receivedBytes: number;
  /** Whether a byte was dropped at the cap. */
  readonly truncated: boolean;
  /** Whether it has got as many bytes as it may, or could keep no more. */
  readonly capReached: boolean;
  /** Set by the command: the source may go on after `take` has returned false. */
  onResume: () => void;
  /** Set by the command: the stream has reached its cap. Called at most once. */
  onCapReached: () => void;
  /** Takes bytes; `chunk` is only lent. @returns false when the source should pause until `onResume` */
  take(chunk: Buffer): boolean;
  /** No bytes follow. */
  end(): void;
  /** The rest is not wanted: everything is dropped from now on, and the source never pauses. */
  discard(): void;
}
