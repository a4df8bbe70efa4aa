/**
 * Keeps the output of a command for its result and for readers that come late: all of it up to a bound, or both ends of it. Knows no wire and no
 * reader.
 */
import type { StreamName } from './wire.js';

/** A piece of output. */
export interface OutputChunk {
  readonly stream: StreamName;
  readonly bytes: Uint8Array;
}

/** How much of each stream is kept, in bytes: from its start and from its end. */
export interface CaptureBounds {
  readonly head: number;
  readonly tail: number;
}

/** Smaller pieces are copied together: a program that writes a byte at a time must not cost a hundred bytes for each. */
const BLOCK_BYTES = 16 * 1024;

interface Kept {
  readonly stream: StreamName;
  /** Order over both streams. */
  readonly order: number;
  bytes: Uint8Array;
}

/** One end of one stream's output. */
class StreamCapture {
  readonly head: Kept[] = [];
  tail: Kept[] = [];
  headBytes = 0;
  tailBytes = 0;
  /** Bytes that were there and are kept no more, or never came. */
  leftOut = 0;
}

/** The output that is kept of one command. */
export class Capture {
  readonly #bounds: CaptureBounds;
  readonly #streams = { stdout: new StreamCapture(), stderr: new StreamCapture() };
  #order = 0;
  /** The newest piece, while it has room behind it. */
  #open: { readonly kept: Kept; readonly block: Uint8Array; readonly inHead: boolean } | undefined;

  constructor(bounds: CaptureBounds) {
    this.#bounds = bounds;
  }

  push(stream: StreamName, bytes: Uint8Array): void {
    const capture = this.#streams[stream];
    const forHead = bytes.subarray(0, this.#bounds.head - capture.headBytes);
    if (forHead.length > 0) {
      this.#keep(stream, forHead, true);
      capture.headBytes += forHead.length;
    }
    const rest = bytes.subarray(forHead.length);
    if (rest.length === 0) return;
    if (this.#bounds.tail === 0) {
      capture.leftOut += rest.length;
      return;
    }
    this.#keep(stream, rest, false);
    capture.tailBytes += rest.length;
    this.#trimTail(capture);
  }

  /** Counts bytes that this client never got. */
  skip(stream: StreamName, byteCount: number): void {
    this.#streams[stream].leftOut += byteCount;
  }

  /** Bytes of a stream that are not kept. */
  leftOut(stream: StreamName): number {
    const { leftOut, tailBytes } = this.#streams[stream];
    return leftOut + Math.max(0, tailBytes - this.#bounds.tail);
  }

  /** What is kept of the given streams, in the order in which it came. */
  chunks(streams: readonly StreamName[]): OutputChunk[] {
    const kept = streams.flatMap((stream) => [...this.#streams[stream].head, ...this.#streams[stream].tail]);
    // Copied, because the newest piece still grows.
    return kept.sort((one, other) => one.order - other.order).map(({ stream, bytes }) => ({ stream, bytes }));
  }

  /** What is kept, in one piece; a line between its ends says how many bytes are missing. */
  join(streams: readonly StreamName[], isText: boolean): Uint8Array {
    const head = concatenated(streams, (stream) => this.#streams[stream].head);
    const leftOut = streams.reduce((sum, stream) => sum + this.leftOut(stream), 0);
    const tail = concatenated(streams, (stream) => this.#tailWithin(stream));
    if (leftOut === 0) return concat([...head, ...tail]);
    const first = concat(head);
    const last = concat(tail);
    const start = isText ? withoutBrokenEnd(first) : first;
    const end = isText ? withoutBrokenStart(last) : last;
    const missing = leftOut + first.length - start.length + last.length - end.length;
    // With a bound on the start alone the text just ends: the result's `truncated` says how much is missing.
    if (this.#bounds.tail === 0) return concat([start, end]);
    const note = `${start.length === 0 || start.at(-1) === NEWLINE ? '' : '\n'}[… ${missing} bytes left out …]\n`;
    return concat([start, new TextEncoder().encode(note), end]);
  }

  #tailWithin(stream: StreamName): Kept[] {
    const { tail, tailBytes } = this.#streams[stream];
    const [first, ...others] = tail;
    const excess = tailBytes - this.#bounds.tail;
    return first === undefined || excess <= 0 ? tail : [{ ...first, bytes: first.bytes.subarray(excess) }, ...others];
  }

  /** Forgets pieces that lie wholly before the end that is kept. */
  #trimTail(capture: StreamCapture): void {
    let count = 0;
    for (const { bytes } of capture.tail) {
      if (capture.tailBytes - bytes.length < this.#bounds.tail) break;
      capture.tailBytes -= bytes.length;
      capture.leftOut += bytes.length;
      count += 1;
    }
    if (count > 0) capture.tail = capture.tail.slice(count);
  }

  #keep(stream: StreamName, bytes: Uint8Array, inHead: boolean): void {
    const open = this.#open;
    if (open !== undefined && open.kept.stream === stream && open.inHead === inHead) {
      const used = open.kept.bytes.length;
      if (used + bytes.length <= open.block.length) {
        open.block.set(bytes, used);
        open.kept.bytes = open.block.subarray(0, used + bytes.length);
        return;
      }
    }
    const kept: Kept = { stream, order: this.#order, bytes };
    this.#order += 1;
    this.#open = undefined;
    if (bytes.length < BLOCK_BYTES) {
      const block = new Uint8Array(BLOCK_BYTES);
      block.set(bytes);
      kept.bytes = block.subarray(0, bytes.length);
      this.#open = { kept, block, inHead };
    }
    this.#streams[stream][inHead ? 'head' : 'tail'].push(kept);
  }
}

const NEWLINE = 0x0a;

function concatenated(streams: readonly StreamName[], keptOf: (stream: StreamName) => readonly Kept[]): Uint8Array[] {
  const kept = streams.flatMap(keptOf);
  return kept.sort((one, other) => one.order - other.order).map(({ bytes }) => bytes);
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Whether a byte continues a character of UTF-8. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** Most bytes that can follow the first one of a character of UTF-8. */
const CONTINUATIONS = 3;

function withoutBrokenStart(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < CONTINUATIONS && isContinuation(bytes[from])) from += 1;
  return bytes.subarray(from);
}

function withoutBrokenEnd(bytes: Uint8Array): Uint8Array {
  let at = bytes.length - 1;
  while (at > 0 && bytes.length - at <= CONTINUATIONS && isContinuation(bytes[at])) at -= 1;
  const first = bytes[at];
  if (first === undefined || first < 0xc0) return bytes;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return bytes.length - at < length ? bytes.subarray(0, at) : bytes;
}
