/**
 * Finds the start of an escape sequence or of a character that output ends in the middle of. A picture of a terminal does not hold it, so the output has to be
 * read again from there. Keeps no output, so that sequences may be of any length. Pure.
 */

const ESCAPE = 0x1b;
const BELL = 0x07;
const CANCEL = [0x18, 0x1a];
/** `[`, the start of a control sequence. */
const CONTROL = 0x5b;
/** `P`, `X`, `]`, `^` and `_`: texts up to a terminator. */
const TEXTS = [0x50, 0x58, 0x5d, 0x5e, 0x5f];
/** `]`, the one of them that a bell ends, too. */
const COMMAND = 0x5d;
/** `\`, with ESC before it the end of a text. */
const TERMINATOR = 0x5c;
/** The same as one character, U+009C, in UTF-8. */
const SHORT_TERMINATOR = [0xc2, 0x9c];
/** Bytes of a character that can be there without its last one. */
const MOST_CHARACTER_BYTES = 3;

/** Where output stands: outside of sequences, or behind ESC, in a control sequence, in a text, in a text that a bell ends, or behind ESC in a text. */
type Place = 'outside' | 'escape' | 'control' | 'text' | 'command' | 'terminator';

/** The end of the output of a terminal. */
export class OutputTail {
  #place: Place = 'outside';
  /** Bytes of the sequence that is not finished. */
  #sequenceBytes = 0;
  /** The byte before. */
  #before = 0;
  /** The last bytes, in which a character may not be finished. */
  #last: Uint8Array = new Uint8Array();

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 1) {
      if (this.#place === 'outside') {
        at = bytes.indexOf(ESCAPE, at);
        if (at < 0) break;
      }
      const byte = bytes[at] ?? 0;
      this.#sequenceBytes += 1;
      this.#place = this.#placeAfter(byte);
      this.#before = byte;
    }
    const joined = new Uint8Array(this.#last.length + Math.min(bytes.length, MOST_CHARACTER_BYTES));
    joined.set(this.#last);
    joined.set(bytes.subarray(-MOST_CHARACTER_BYTES), this.#last.length);
    this.#last = joined.slice(-MOST_CHARACTER_BYTES);
  }

  clear(): void {
    this.#place = 'outside';
    this.#last = new Uint8Array();
  }

  /** How many bytes at its end belong to something that is not finished. */
  get unfinishedBytes(): number {
    return this.#place === 'outside' ? unfinishedCharacterBytes(this.#last) : this.#sequenceBytes;
  }

  #placeAfter(byte: number): Place {
    const place = this.#place;
    if (CANCEL.includes(byte)) return 'outside';
    if (place === 'text' || place === 'command') {
      // The first half of its terminator, or the start of another sequence.
      if (byte === ESCAPE) return 'terminator';
      if (place === 'text' && byte >= 0x80) return 'outside';
      const isOver =
        (byte === BELL && place === 'command') ||
        (byte === SHORT_TERMINATOR[1] && this.#before === SHORT_TERMINATOR[0]);
      return isOver ? 'outside' : place;
    }
    if (place === 'terminator') {
      if (byte === TERMINATOR) return 'outside';
      // That ESC was not half of a terminator.
      this.#sequenceBytes = 2;
    }
    if (byte === ESCAPE) {
      this.#sequenceBytes = 1;
      return 'escape';
    }
    // A character that is not ASCII ends whatever is not a text, and any text but a command.
    if (byte >= 0x80) return 'outside';
    // The final byte.
    if (place === 'control') return byte >= 0x40 && byte <= 0x7e ? 'outside' : 'control';
    if (this.#before === ESCAPE && byte === CONTROL) return 'control';
    if (this.#before === ESCAPE && TEXTS.includes(byte)) return byte === COMMAND ? 'command' : 'text';
    // Others may have intermediate bytes before their final one.
    return byte >= 0x30 && byte <= 0x7e ? 'outside' : 'escape';
  }
}

function unfinishedCharacterBytes(tail: Uint8Array): number {
  for (let count = 1; count <= tail.length; count += 1) {
    const byte = tail[tail.length - count] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > count ? count : 0;
    }
  }
  return 0;
}
