/** Sends one stream's bytes as notifications, up to its cap. Knows the outbox of the connection and no process. */

import type { OutputSink } from '../../commands/output/output-sink.js';
import type { Outbox } from '../../rpc/outbox.js';
import { type DeltaEncoder, MAX_DELTA_BYTES } from './delta-encoder.js';

const NO_BYTES = Buffer.alloc(0);

export interface StreamedOutputOptions {
  readonly outbox: Outbox;
  readonly encoder: DeltaEncoder;
  /** Bytes to send at most; Infinity for no cap. */
  readonly capBytes: number;
  /** There is room again after {@link OutputSink.take} returned false. */
  readonly onWritable: () => void;
  /** So many bytes have been sent; called at most once. */
  readonly onCapReached?: () => void;
}

/** A sink that streams. */
export class StreamedOutput implements OutputSink {
  receivedBytes = 0;
  truncated = false;
  readonly #options: StreamedOutputOptions;
  #remainingBytes: number;
  #capReached = false;
  #discarding = false;

  constructor(options: StreamedOutputOptions) {
    this.#options = options;
    this.#remainingBytes = options.capBytes;
  }

  take(chunk: Buffer): boolean {
    this.receivedBytes += chunk.length;
    if (this.#discarding) return true;
    if (chunk.length > this.#remainingBytes) this.truncated = true;
    if (this.#capReached) return true;
    for (let from = 0; from < chunk.length && !this.#capReached; from += MAX_DELTA_BYTES) {
      const length = Math.min(chunk.length - from, MAX_DELTA_BYTES, this.#remainingBytes);
      this.#send(chunk.subarray(from, from + length));
    }
    if (this.#capReached) {
      this.#options.onCapReached?.();
      return true;
    }
    if (!this.#options.outbox.isFull) return true;
    this.#options.outbox.whenWritable(this.#options.onWritable);
    return false;
  }

  end(): void {
    // A cap of 0 is reached by a stream that says nothing, too.
    if (this.#remainingBytes === 0 && !this.#capReached && !this.#discarding) this.#send(NO_BYTES);
    this.discard();
  }

  discard(): void {
    this.#discarding = true;
    this.#options.outbox.forget(this.#options.onWritable);
  }

  #send(bytes: Buffer): void {
    this.#remainingBytes -= bytes.length;
    this.#capReached = this.#remainingBytes === 0;
    this.#options.outbox.sendEncoded(this.#options.encoder.encode(bytes, this.#capReached));
  }
}
