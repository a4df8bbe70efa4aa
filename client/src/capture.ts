/**
 * Keeps the output of a command for its result and for readers that come late: all of it up to a bound, or both ends of it. Knows no wire and no
 * reader.
 */
import type { StreamName } from './wire.js';

/**
 * A piece of output.
 *
 * @example
 * import type { OutputChunk } from 'execwire-client';
 * const show = ({ stream, bytes }: OutputChunk): string => `${stream} ${new TextDecoder().decode(bytes).trim()}`;
 * for await (const chunk of box.exec(['sh', '-c', 'echo oops >&2']).chunks) console.log(show(chunk)); // stderr oops
 */
export interface OutputChunk {
  readonly stream: StreamName;
  readonly bytes: Uint8Array;
  /** Whether it is a picture of a terminal's screen, which belongs on an empty terminal, and no output. Absent for output. */
  readonly isScreen?: true;
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
  readonly tail: Kept[] = [];
  headBytes = 0;
  tailBytes = 0;
  /** Bytes that are not kept, and bytes that never came. */
  leftOut = 0;
}

/** The output that is kept of one command. */
export class Capture {
  readonly #bounds: CaptureBounds;
  readonly #streams = { stdout: new StreamCapture(), stderr: new StreamCapture() };
  #order = 0;
  /** The newest piece, while its block has room for more. */
  #open: { readonly kept: Kept; readonly block: Uint8Array } | undefined;

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
    return this.#streams[stream].leftOut;
  }

  /** What is kept of the given streams, in the order in which it came. */
  chunks(streams: readonly StreamName[]): OutputChunk[] {
    const kept = inOrder(streams, (stream) => [...this.#streams[stream].head, ...this.#streams[stream].tail]);
    // Copied, because the newest piece still grows.
    return kept.map(({ stream, bytes }) => ({ stream, bytes }));
  }

  /** What is kept, in one piece; a line between its ends says how many bytes are missing. */
  join(streams: readonly StreamName[]): Uint8Array {
    const { head, note, tail } = this.#ends(streams);
    return concat([...head, { bytes: new TextEncoder().encode(note) }, ...tail]);
  }

  /** The same as text. Each stream is decoded by itself, because a character may come in two pieces. A character that the bounds cut in two is left out. */
  text(streams: readonly StreamName[]): string {
    const { head, note, tail } = this.#ends(streams);
    const decoders = { stdout: newDecoder(), stderr: newDecoder() };
    /** Bytes at the start of a tail that may belong to a character whose start is missing. */
    const broken = { stdout: 0, stderr: 0 };
    let text = '';
    for (const { stream, bytes } of head) text += decoders[stream].decode(bytes, { stream: true });
    text += note;
    for (const stream of streams) {
      if (this.leftOut(stream) === 0) continue;
      decoders[stream] = newDecoder();
      broken[stream] = MOST_BROKEN_BYTES;
    }
    for (const { stream, bytes } of tail) {
      let from = 0;
      while (from < broken[stream] && isInsideCharacter(bytes[from])) from += 1;
      broken[stream] = from < bytes.length ? 0 : broken[stream] - from;
      text += decoders[stream].decode(bytes.subarray(from), { stream: true });
    }
    for (const stream of streams) text += decoders[stream].decode();
    return text;
  }

  #ends(streams: readonly StreamName[]): { head: Kept[]; note: string; tail: Kept[] } {
    const ends = (end: 'head' | 'tail'): Kept[] => inOrder(streams, (stream) => this.#streams[stream][end]);
    const head = ends('head');
    const leftOut = streams.reduce((sum, stream) => sum + this.leftOut(stream), 0);
    // If only the start is kept, the text just ends; the result's `truncated` says how much is missing.
    const isNoted = leftOut > 0 && this.#bounds.tail > 0;
    const newline = (head.at(-1)?.bytes.at(-1) ?? NEWLINE) === NEWLINE ? '' : '\n';
    return { head, note: isNoted ? `${newline}[… ${leftOut} bytes left out …]\n` : '', tail: ends('tail') };
  }

  /** Forgets what lies before the end that is kept. */
  #trimTail(capture: StreamCapture): void {
    const { tail } = capture;
    let excess = capture.tailBytes - this.#bounds.tail;
    if (excess <= 0) return;
    capture.leftOut += excess;
    capture.tailBytes -= excess;
    for (let first = tail[0]; first !== undefined && excess > 0; first = tail[0]) {
      const { length } = first.bytes;
      if (length > excess) {
        first.bytes = first.bytes.subarray(excess);
        // The piece no longer begins where its block begins.
        if (this.#open?.kept === first) this.#open = undefined;
        return;
      }
      tail.shift();
      excess -= length;
    }
  }

  #keep(stream: StreamName, bytes: Uint8Array, inHead: boolean): void {
    const list = this.#streams[stream][inHead ? 'head' : 'tail'];
    const open = this.#open;
    if (open !== undefined && list.at(-1) === open.kept) {
      const used = open.kept.bytes.length;
      const end = used + bytes.length;
      if (end <= open.block.length) {
        open.block.set(bytes, used);
        open.kept.bytes = open.block.subarray(0, end);
        return;
      }
    }
    const kept: Kept = { stream, order: this.#order++, bytes };
    this.#open = undefined;
    if (bytes.length < BLOCK_BYTES) {
      const block = new Uint8Array(BLOCK_BYTES);
      block.set(bytes);
      kept.bytes = block.subarray(0, bytes.length);
      this.#open = { kept, block };
    }
    list.push(kept);
  }
}

const NEWLINE = 0x0a;

/** Bytes of a character behind its first one, at most. */
const MOST_BROKEN_BYTES = 3;

/** Whether a byte of UTF-8 is not the first one of its character. */
function isInsideCharacter(byte = 0): boolean {
  return byte >> 6 === 0b10;
}

/** A decoder of output: what looks like a byte order mark is output. */
export function newDecoder(): { decode(bytes?: Uint8Array, options?: { readonly stream: boolean }): string } {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}

function inOrder(streams: readonly StreamName[], keptOf: (stream: StreamName) => readonly Kept[]): Kept[] {
  return streams.flatMap(keptOf).sort((one, other) => one.order - other.order);
}

/** Many pieces as one. */
export function concat(pieces: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let at = 0;
  for (const { bytes } of pieces) {
    whole.set(bytes, at);
    at += bytes.length;
  }
  return whole;
}
