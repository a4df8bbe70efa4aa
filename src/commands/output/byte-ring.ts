/**
 * Holds a stretch of one stream by offset: bytes are added at the end and dropped at the front. Knows neither its readers nor how much may be kept.
 */

/** Largest block; memory is given back in such pieces. */
const MAX_BLOCK_BYTES = 64 * 1024;
/** Most commands write little. */
const MIN_BLOCK_BYTES = 4096;
/** A block is at most this part of the kept bytes, so that a small log wastes little memory. */
const BLOCKS_PER_LOG = 8;

/** Blocks of full size that are kept for any log, so that a stream which keeps its last bytes allocates none for each chunk: 2 MiB. */
const MAX_POOLED = 32;

const pool: Buffer[] = [];

interface Block {
  readonly bytes: Buffer;
  /** Offset of its first byte. */
  readonly start: number;
  used: number;
}

export class ByteRing {
  /** Bytes of memory taken, which is what a budget counts. */
  allocatedBytes = 0;
  readonly #maxBlockBytes: number;
  #blocks: Block[] = [];
  #end: number;

  /** @param keepBytes how much will be kept; it decides the size of the blocks @param start offset of the first byte to come */
  constructor(keepBytes: number, start: number) {
    this.#maxBlockBytes = Math.max(MIN_BLOCK_BYTES, Math.min(MAX_BLOCK_BYTES, Math.ceil(keepBytes / BLOCKS_PER_LOG)));
    this.#end = start;
  }

  /** Offset of the first byte held. */
  get start(): number {
    return this.#blocks[0]?.start ?? this.#end;
  }

  /** Offset after the last byte held. */
  get end(): number {
    return this.#end;
  }

  append(bytes: Buffer): void {
    for (let from = 0; from < bytes.length; ) {
      let last = this.#blocks.at(-1);
      if (last === undefined || last.used === last.bytes.length) last = this.#add(bytes.length - from);
      const copied = bytes.copy(last.bytes, last.used, from);
      last.used += copied;
      this.#end += copied;
      from += copied;
    }
  }

  /** Up to `maxBytes` from a held offset, as far as they are in one block. Valid until the next drop. */
  read(offset: number, maxBytes: number): Buffer {
    const block = this.#blockAt(offset);
    const from = offset - block.start;
    return block.bytes.subarray(from, Math.min(block.used, from + maxBytes));
  }

  /** Drops whole blocks below an offset. @param onDrop gets their bytes, lent, and the offset of the first */
  dropBelow(offset: number, onDrop?: (bytes: Buffer, start: number) => void): void {
    for (let first = this.#blocks[0]; first !== undefined; first = this.#blocks[0]) {
      if (first.start + first.used > offset) return;
      this.#blocks.shift();
      this.allocatedBytes -= first.bytes.length;
      onDrop?.(first.bytes.subarray(0, first.used), first.start);
      if (first.bytes.length === MAX_BLOCK_BYTES && pool.length < MAX_POOLED) pool.push(first.bytes);
    }
  }

  /** Offset after the oldest block: dropping below it frees exactly that block. */
  get endOfOldest(): number {
    const first = this.#blocks[0];
    return first === undefined ? this.#end : first.start + first.used;
  }

  #add(wantedBytes: number): Block {
    const held = this.#end - this.start;
    const size = Math.min(this.#maxBlockBytes, Math.max(MIN_BLOCK_BYTES, held, wantedBytes));
    const pooled = size === MAX_BLOCK_BYTES ? pool.pop() : undefined;
    const block = { bytes: pooled ?? Buffer.allocUnsafeSlow(size), start: this.#end, used: 0 };
    this.#blocks.push(block);
    this.allocatedBytes += size;
    return block;
  }

  #blockAt(offset: number): Block {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#blocks[middle]?.start ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const block = this.#blocks[low];
    if (block === undefined || offset < block.start || offset > block.start + block.used) {
      throw new RangeError(`offset ${offset} is not held: ${this.start} to ${this.#end}`);
    }
    return block;
  }
}
