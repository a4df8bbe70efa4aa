/**
 * What is kept of one command's output: its beginning and its end, each byte by its offset in all output. Knows no text and no command.
 */

/** Bytes of the beginning that are kept whatever follows: errors of a build stand there. */
export const HEAD_BYTES = 64 * 1024;
/** Output kept of one command; the middle of longer output is forgotten. */
export const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
/** The same for agents, as a part of a sentence. */
export const KEPT_TEXT = `${MAX_OUTPUT_BYTES / 1024 / 1024} MiB of each command are kept: the first ${HEAD_BYTES / 1024} KiB and the end`;
/** Largest piece of memory. Smaller ones grow, so that a thousand short outputs stay small. */
const BLOCK_BYTES = 64 * 1024;
const SMALLEST_BLOCK_BYTES = 512;

interface Block {
  /** Offset of its first byte. */
  readonly at: number;
  readonly bytes: Buffer;
  length: number;
}

/** Bytes in one piece. */
export interface Piece {
  /** Offset of the first byte. */
  readonly at: number;
  readonly bytes: Buffer;
}

/** The kept output of one command. */
export class KeptOutput {
  readonly #blocks: Block[] = [];
  #end = 0;
  #heldBytes = 0;

  /** Offset behind the last byte that came; also the number of bytes in all. */
  get end(): number {
    return this.#end;
  }

  /** Bytes of memory in use. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  push(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      const block = this.#openBlock(rest.length);
      const taken = rest.subarray(0, block.bytes.length - block.length);
      block.bytes.set(taken, block.length);
      block.length += taken.length;
      this.#end += taken.length;
      rest = rest.subarray(taken.length);
    }
  }

  /** Counts bytes that never came. */
  skip(byteCount: number): void {
    this.#end += byteCount;
  }

  /** Forgets the oldest bytes behind the head until at most so many are held; the head goes only when nothing else is left. */
  trimTo(maxBytes: number): void {
    while (this.#heldBytes > maxBytes && this.#blocks.length > 0) {
      const behindHead = this.#blocks.findIndex(({ at }) => at >= HEAD_BYTES);
      const [dropped] = this.#blocks.splice(Math.max(0, behindHead), 1);
      this.#heldBytes -= dropped?.bytes.length ?? 0;
    }
  }

  /** The bytes from an offset on, up to a number or to the next byte that is not kept. Begins at the first kept byte from there on. */
  read(from: number, maxBytes: number): Piece {
    const first = this.#blocks.findIndex(({ at, length }) => at + length > from);
    const start = Math.max(from, this.#blocks[first]?.at ?? this.#end);
    const parts: Buffer[] = [];
    let next = start;
    for (const { at, bytes, length } of first < 0 ? [] : this.#blocks.slice(first)) {
      if (at > next || next - start >= maxBytes) break;
      const part = bytes.subarray(next - at, Math.min(length, next - at + maxBytes - (next - start)));
      parts.push(part);
      next += part.length;
    }
    return { at: start, bytes: Buffer.concat(parts) };
  }

  /** Whether every byte of a range is kept. */
  has(from: number, to: number): boolean {
    const { at, bytes } = this.read(from, to - from);
    return at === from && bytes.length >= to - from;
  }

  #openBlock(wantedBytes: number): Block {
    const last = this.#blocks.at(-1);
    const isContiguous = last !== undefined && last.at + last.length === this.#end;
    if (isContiguous && last.length < last.bytes.length) return last;
    const twice = isContiguous ? last.bytes.length * 2 : SMALLEST_BLOCK_BYTES;
    // No block belongs to both the head and the rest.
    const mostBytes = this.#end < HEAD_BYTES ? HEAD_BYTES - this.#end : BLOCK_BYTES;
    const capacity = Math.min(Math.max(wantedBytes, twice), BLOCK_BYTES, mostBytes);
    const block: Block = { at: this.#end, bytes: Buffer.alloc(capacity), length: 0 };
    this.#blocks.push(block);
    this.#heldBytes += capacity;
    return block;
  }
}
