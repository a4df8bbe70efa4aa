/**
 * The events of one process under one number each: output, exit and close, from 1 and without a gap. It keeps where the bytes of an event are; the
 * bytes themselves are in the output logs of the command. Knows no connection.
 */
import type { OutputLog } from '../../commands/output/log.js';
import type { OutputName } from '../../process/os-process.js';

/** Events of output that can be read again. A program that writes single bytes would otherwise fill the memory with events. */
export const MAX_EVENTS = 32_768;

interface OutputEvent {
  readonly seq: number;
  readonly output: OutputName;
  /** Position of its first byte in the stream. */
  readonly offset: number;
  readonly length: number;
}

/** A stretch of output under its number. */
export interface ReadChunk {
  readonly seq: number;
  readonly output: OutputName;
  readonly bytes: Buffer;
}

export class EventLog {
  readonly #logs: Readonly<Partial<Record<OutputName, OutputLog>>>;
  #events: OutputEvent[] = [];
  #nextSeq = 1;
  exitSeq: number | undefined;
  closeSeq: number | undefined;

  constructor(logs: Readonly<Partial<Record<OutputName, OutputLog>>>) {
    this.#logs = logs;
  }

  /** Number of the next event. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** @returns its number */
  addOutput(output: OutputName, offset: number, length: number): number {
    const seq = this.#take();
    this.#events.push({ seq, output, offset, length });
    if (this.#events.length > 2 * MAX_EVENTS) this.#events = this.#events.slice(MAX_EVENTS);
    return seq;
  }

  addExit(): number {
    this.exitSeq = this.#take();
    return this.exitSeq;
  }

  addClose(): number {
    this.closeSeq = this.#take();
    return this.closeSeq;
  }

  /** Output after a number that is still kept, as far as it fits; at least one chunk if there is any. */
  read(afterSeq: number, maxBytes: number): { readonly chunks: ReadChunk[]; readonly isCut: boolean } {
    const chunks: ReadChunk[] = [];
    let total = 0;
    for (let at = this.#firstAfter(afterSeq); at < this.#events.length; at += 1) {
      const event = this.#events[at];
      if (event === undefined || !this.#isKept(event)) continue;
      if (chunks.length > 0 && total + event.length > maxBytes) return { chunks, isCut: true };
      chunks.push({ seq: event.seq, output: event.output, bytes: this.#bytesOf(event) });
      total += event.length;
    }
    return { chunks, isCut: false };
  }

  #take(): number {
    const seq = this.#nextSeq;
    this.#nextSeq += 1;
    return seq;
  }

  #firstAfter(afterSeq: number): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.seq ?? 0) <= afterSeq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isKept({ output, offset, length }: OutputEvent): boolean {
    const log = this.#logs[output];
    return log !== undefined && offset >= log.oldest && offset + length <= log.next;
  }

  #bytesOf({ output, offset, length }: OutputEvent): Buffer {
    const pieces: Buffer[] = [];
    for (let got = 0; got < length; ) {
      const piece = this.#logs[output]?.peek(offset + got, length - got);
      if (piece === undefined || piece.length === 0) break;
      pieces.push(piece);
      got += piece.length;
    }
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  }
}
