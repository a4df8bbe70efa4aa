/** Keeps one stream's bytes for the end of the command, up to its cap and as long as the server has room. Knows no wire and no process. */
import type { CaptureBudget } from './capture-budget.js';
import type { OutputSink } from './output-sink.js';

/** Largest block. Longer output is processed block by block. */
export const CAPTURE_BLOCK_BYTES = 1024 * 1024;
/** Most commands write little. */
const FIRST_BLOCK_BYTES = 4096;

/** A sink that keeps. */
export class Capture implements OutputSink {
  receivedBytes = 0;
  truncated = false;
  capReached = false;
  onResume: () => void = () => {};
  onCapReached: () => void = () => {};
  readonly #capBytes: number;
  readonly #budget: CaptureBudget;
  #blocks: Buffer[] = [];
  #usedOfLast = 0;
  #keptBytes = 0;
  #heldBytes = 0;
  #isClosed = false;

  constructor(capBytes: number, budget: CaptureBudget) {
    this.#capBytes = capBytes;
    this.#budget = budget;
  }

  take(chunk: Buffer): true {
    this.receivedBytes += chunk.length;
    if (this.#isClosed) {
      if (chunk.length > 0) this.truncated = true;
      return true;
    }
    if (chunk.length > 0 && this.receivedBytes >= this.#capBytes) this.capReached = true;
    const room = this.#capBytes - this.#keptBytes;
    if (chunk.length > room) this.truncated = true;
    if (room === 0) return true;
    this.#keep(chunk.subarray(0, room));
    if (chunk.length >= room) this.onCapReached();
    return true;
  }

  end(): void {}

  discard(): void {
    this.#isClosed = true;
    this.release();
  }

  /** Bytes kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Everything kept, in one piece. */
  bytes(): Buffer {
    return Buffer.concat(this.#blocks, this.#keptBytes);
  }

  /** Yields the kept bytes block by block, and frees each block when the next is asked for. */
  *drain(): Generator<Buffer, void> {
    for (let block = this.#blocks[0]; block !== undefined; block = this.#blocks[0]) {
      yield this.#blocks.length === 1 ? block.subarray(0, this.#usedOfLast) : block;
      this.#blocks.shift();
      this.#heldBytes -= block.length;
      this.#budget.give(block.length);
    }
  }

  /** Forgets the kept bytes. */
  release(): void {
    this.#blocks = [];
    this.#keptBytes = 0;
    this.#budget.give(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** Copies into blocks that grow with the output, so that a program that writes single bytes does not cost an object for each. */
  #keep(bytes: Buffer): void {
    for (let from = 0; from < bytes.length; ) {
      const last = this.#blocks.at(-1);
      if (last === undefined || this.#usedOfLast === last.length) {
        if (!this.#addBlock(bytes.length - from)) return;
        continue;
      }
      const copied = bytes.copy(last, this.#usedOfLast, from);
      from += copied;
      this.#usedOfLast += copied;
      this.#keptBytes += copied;
    }
  }

  /** @returns false when the server has no room. Then nothing more is kept, so that the kept bytes have no hole. */
  #addBlock(wantedBytes: number): boolean {
    const size = Math.min(CAPTURE_BLOCK_BYTES, Math.max(FIRST_BLOCK_BYTES, this.#keptBytes, wantedBytes));
    if (!this.#budget.take(size)) {
      this.truncated = true;
      this.capReached = true;
      this.#isClosed = true;
      return false;
    }
    this.#blocks.push(Buffer.allocUnsafeSlow(size));
    this.#heldBytes += size;
    this.#usedOfLast = 0;
    return true;
  }
}
