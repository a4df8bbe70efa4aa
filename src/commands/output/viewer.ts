/**
 * One view of one output stream: how far it was sent, how far it was acknowledged, and how much may be under way. Knows no log and no connection: the
 * bytes go to an {@link OutputPort}.
 */

/** The way out for one stream of one viewer; a dialect implements it with its own messages. */
export interface OutputPort {
  /** Whether output should wait for {@link whenWritable}. */
  readonly isFull: boolean;
  /** Offset below which the kernel has taken everything that was sent. */
  readonly takenOffset: number;
  /** Sends bytes, which are only lent, with the offset of the first. @param last whether the stream reaches its cap with them */
  send(bytes: Buffer, offset: number, last: boolean): void;
  /** Tells the client that bytes `from` ≤ n < `to` will never come. */
  gap(from: number, to: number): void;
  /** Calls back once when there is room again. A function that is added twice is called once. */
  whenWritable(callback: () => void): void;
  /** Cancels {@link whenWritable}. */
  forget(callback: () => void): void;
}

export interface ViewerOptions {
  readonly port: OutputPort;
  /** Offset of the first byte wanted. */
  readonly from: number;
  /** Whether it is lossless: a source waits for it. Other viewers get a gap when they fall behind the kept bytes. */
  readonly isLossless: boolean;
  /** Bytes that may be under way unacknowledged; Infinity without acknowledgements. */
  readonly windowBytes: number;
}

export class Viewer {
  readonly port: OutputPort;
  readonly isLossless: boolean;
  readonly windowBytes: number;
  /** Offset of the next byte to send. */
  cursor: number;
  /** Whether it was told that the stream reached its cap. */
  toldCap = false;
  /** Called whenever it got further: something was sent, skipped or acknowledged. */
  onProgress: (() => void) | undefined;
  /** Set by the log it is added to. */
  onWritable: () => void = () => {};
  #acknowledged: number;
  /** Ranges above the acknowledged offset that were skipped and never under way. In order. */
  #skipped: { from: number; readonly to: number }[] = [];
  #skippedBytes = 0;

  constructor({ port, from, isLossless, windowBytes }: ViewerOptions) {
    this.port = port;
    this.isLossless = isLossless;
    this.windowBytes = windowBytes;
    this.cursor = from;
    this.#acknowledged = from;
  }

  /** Bytes that acknowledgements allow to be sent now. */
  get roomBytes(): number {
    return this.windowBytes - (this.cursor - this.#acknowledged - this.#skippedBytes);
  }

  /** Whether its client acknowledges what it has processed. */
  get hasWindow(): boolean {
    return this.windowBytes !== Number.POSITIVE_INFINITY;
  }

  /** Offset below which its client has everything: what it acknowledged, or without a window, what the kernel has taken. */
  get acknowledged(): number {
    return this.hasWindow ? this.#acknowledged : Math.max(this.#acknowledged, this.port.takenOffset);
  }

  /** @returns whether anything new was acknowledged; unsent bytes cannot be */
  acknowledge(offset: number): boolean {
    const sent = Math.min(offset, this.cursor);
    if (sent <= this.#acknowledged) return false;
    this.#acknowledged = sent;
    for (let first = this.#skipped[0]; first !== undefined && first.from < sent; first = this.#skipped[0]) {
      this.#skippedBytes -= Math.min(first.to, sent) - first.from;
      if (first.to > sent) first.from = sent;
      else this.#skipped.shift();
    }
    return true;
  }

  /** Skips bytes that are not held any more. */
  skipTo(offset: number): void {
    this.port.gap(this.cursor, offset);
    if (this.hasWindow && this.#acknowledged < this.cursor) {
      this.#skipped.push({ from: this.cursor, to: offset });
      this.#skippedBytes += offset - this.cursor;
    } else this.#acknowledged = offset;
    this.cursor = offset;
  }
}
