/** Keeps one stream's bytes for the reply, up to its cap. Knows no connection and no process. */
import type { OutputSink } from './output-sink.js';

/** Longest text that goes into the reply as one string; beyond it the reply is written in pieces. */
const PIECE_BYTES = 1024 * 1024;
/** Most commands say little. */
const FIRST_BLOCK_BYTES = 4096;

/** A sink that keeps. */
export class BufferedOutput implements OutputSink {
  receivedBytes = 0;
  truncated = false;
  readonly #capBytes: number;
  readonly #onCapReached: (() => void) | undefined;
  #blocks: Buffer[] = [];
  #usedOfLast = 0;
  #keptBytes = 0;
  #discarding = false;

  /** @param onCapReached called at most once, when so many bytes have come */
  constructor(capBytes: number, onCapReached?: () => void) {
    this.#capBytes = capBytes;
    this.#onCapReached = onCapReached;
  }

  take(chunk: Buffer): true {
    this.receivedBytes += chunk.length;
    if (this.#discarding) return true;
    const room = this.#capBytes - this.#keptBytes;
    if (chunk.length > room) this.truncated = true;
    if (room === 0) return true;
    this.#keep(chunk.subarray(0, room));
    if (chunk.length >= room) this.#onCapReached?.();
    return true;
  }

  /** Copies into blocks that grow with the output, so that a program that writes byte by byte costs no object a byte. */
  #keep(bytes: Buffer): void {
    for (let from = 0; from < bytes.length; ) {
      const last = this.#blocks.at(-1);
      if (last === undefined || this.#usedOfLast === last.length) {
        const size = Math.min(PIECE_BYTES, Math.max(FIRST_BLOCK_BYTES, this.#keptBytes, bytes.length - from));
        this.#blocks.push(Buffer.allocUnsafeSlow(size));
        this.#usedOfLast = 0;
        continue;
      }
      const copied = bytes.copy(last, this.#usedOfLast, from);
      from += copied;
      this.#usedOfLast += copied;
      this.#keptBytes += copied;
    }
  }

  end(): void {}

  discard(): void {
    this.#discarding = true;
    this.#blocks = [];
    this.#keptBytes = 0;
  }

  /** Whether the text is better written in pieces. */
  get isLong(): boolean {
    return this.#keptBytes > PIECE_BYTES;
  }

  /** The bytes as UTF-8, with U+FFFD for what is none. */
  text(): string {
    return Buffer.concat(this.#blocks, this.#keptBytes).toString('utf8');
  }

  /**
   * The same text as the inside of a JSON string, in pieces: 256 MiB of control characters would be longer than a string can be.
   * Gives the loop a turn between two pieces.
   */
  async jsonPieces(): Promise<Buffer[]> {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    const pieces: Buffer[] = [];
    const blocks = this.#blocks;
    const lastIndex = blocks.length - 1;
    this.#blocks = [];
    for (const [index, block] of blocks.entries()) {
      const bytes = index === lastIndex ? block.subarray(0, this.#usedOfLast) : block;
      const text = decoder.decode(bytes, { stream: index !== lastIndex });
      pieces.push(Buffer.from(JSON.stringify(text).slice(1, -1)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return pieces;
  }
}
