/** Where the output of one stream goes: into notifications or into the reply. Knows no process. */

/** Takes one stream's bytes, in order. */
export interface OutputSink {
  /** Bytes the process wrote to this stream, dropped ones included. */
  readonly receivedBytes: number;
  /** Whether a byte was dropped at the cap. */
  readonly truncated: boolean;
  /** Takes bytes; `chunk` is only lent. @returns false when the source should pause until `onWritable` */
  take(chunk: Buffer): boolean;
  /** No bytes follow. */
  end(): void;
  /** Nobody wants the rest: everything is dropped from now on, and the source never pauses. */
  discard(): void;
}
