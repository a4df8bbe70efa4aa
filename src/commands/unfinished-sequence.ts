/**
 * The bytes of an escape sequence or character that has begun and not ended: a picture of a terminal must end with them, or what follows would be
 * read as text. Knows no terminal.
 */

const NO_BYTES = Buffer.alloc(0);
const ESCAPE = 0x1b;
const FIRST_PRINTABLE = 0x20;
/** First byte of the one-character introducers of sequences in UTF-8, U+0090 to U+009F. */
const C1_LEAD = 0xc2;
const C1_INTRODUCERS: ReadonlySet<number> = new Set([0x90, 0x98, 0x9b, 0x9d, 0x9e, 0x9f]);
/** A longer one is a picture or a clipboard: of these the beginning is enough to know that what follows is no text. */
const MAX_BYTES = 16 * 1024;
/** Bytes of the longest character. */
const MAX_CHARACTER_BYTES = 4;

/** Between two sequences, in one whose control characters have done their work already, or in a text that one carries. */
export type ParserPlace = 'between' | 'sequence' | 'string';

export class UnfinishedSequence {
  #character: Buffer = NO_BYTES;
  #sequence: Buffer = NO_BYTES;

  /** What has begun and not ended; empty between sequences and characters. */
  get bytes(): Buffer {
    return Buffer.concat([this.#sequence, this.#character]);
  }

  /** Puts the beginning of a character, held back before, in front of bytes and holds back the next one: xterm loses some that come in two pieces. */
  wholeCharacters(bytes: Buffer): Buffer {
    const all = this.#character.length === 0 ? bytes : Buffer.concat([this.#character, bytes]);
    this.#character = unfinishedCharacter(all);
    return all.subarray(0, all.length - this.#character.length);
  }

  /** To be called when a terminal has read bytes. */
  read(bytes: Buffer, place: ParserPlace): void {
    if (place === 'between') {
      this.#sequence = NO_BYTES;
      return;
    }
    const begin = lastIntroducer(bytes);
    const added = begin < 0 ? bytes : bytes.subarray(begin);
    const kept = place === 'sequence' ? added.filter((byte) => byte >= FIRST_PRINTABLE || byte === ESCAPE) : added;
    const before = begin < 0 ? this.#sequence : NO_BYTES;
    if (before.length < MAX_BYTES) this.#sequence = Buffer.concat([before, kept]).subarray(0, MAX_BYTES);
  }
}

/** Each introducer ends what came before it, so that the last one began what is unfinished. -1 when there is none. */
function lastIntroducer(bytes: Buffer): number {
  for (let at = bytes.length - 1; at >= 0; at -= 1) {
    const byte = bytes[at];
    if (byte === ESCAPE) return at;
    if (byte === C1_LEAD && C1_INTRODUCERS.has(bytes[at + 1] ?? 0)) return at;
  }
  return -1;
}

/** The part of a character at the end of some bytes whose rest is missing. */
function unfinishedCharacter(bytes: Buffer): Buffer {
  const first = Math.max(0, bytes.length - MAX_CHARACTER_BYTES);
  for (let at = bytes.length - 1; at >= first; at -= 1) {
    const byte = bytes[at] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return at + length > bytes.length ? Buffer.from(bytes.subarray(at)) : NO_BYTES;
  }
  return NO_BYTES;
}
