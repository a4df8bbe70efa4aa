/**
 * Finds the start of an escape sequence or of a character that output ends in the middle of. A picture of a terminal does not hold it, so the output has to be
 * read again from there. Pure.
 */

/** The last bytes of output that are looked through. Texts in escape sequences are rarely longer. */
const TAIL_BYTES = 4_096;

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

/** The end of the output of a terminal. */
export class OutputTail {
  #bytes: Uint8Array = new Uint8Array();

  push(bytes: Uint8Array): void {
    const kept = bytes.length < TAIL_BYTES ? this.#bytes.subarray(-(TAIL_BYTES - bytes.length)) : new Uint8Array();
    const added = bytes.subarray(-TAIL_BYTES);
    this.#bytes = new Uint8Array(kept.length + added.length);
    this.#bytes.set(kept);
    this.#bytes.set(added, kept.length);
  }

  clear(): void {
    this.#bytes = new Uint8Array();
  }

  /** How many bytes at its end belong to something that is not finished. */
  get unfinishedBytes(): number {
    return unfinishedBytes(this.#bytes);
  }
}

/** How many of the last bytes belong to something that is not finished. @param tail the end of the output */
export function unfinishedBytes(tail: Uint8Array): number {
  const at = tail.lastIndexOf(ESCAPE);
  if (at >= 0 && !isFinished(tail, at)) return tail.length - startOfText(tail, at);
  return unfinishedCharacterBytes(tail);
}

/** Where the sequence begins that the last ESC belongs to: that of a text, if the ESC may be the first half of its terminator. */
function startOfText(tail: Uint8Array, at: number): number {
  if (at + 1 < tail.length) return at;
  const before = tail.lastIndexOf(ESCAPE, at - 1);
  const isText =
    at > 0 && before >= 0 && TEXTS.includes(tail[before + 1] ?? 0) && !isFinished(tail.subarray(0, at), before);
  return isText ? before : at;
}

function isFinished(tail: Uint8Array, at: number): boolean {
  const kind = tail[at + 1];
  if (kind === undefined) return false;
  const rest = tail.subarray(at + 2);
  if (rest.some((byte) => CANCEL.includes(byte))) return true;
  // The final byte of a control sequence.
  if (kind === CONTROL) return rest.some((byte) => byte >= 0x40 && byte <= 0x7e);
  // A terminator has an ESC of its own, which would be the last one.
  if (TEXTS.includes(kind)) return kind === COMMAND && rest.includes(BELL);
  if (kind === TERMINATOR) return true;
  // Others have intermediate bytes before their final one.
  return kind >= 0x30 || rest.some((byte) => byte >= 0x30 && byte <= 0x7e);
}

function unfinishedCharacterBytes(tail: Uint8Array): number {
  for (let count = 1; count <= Math.min(3, tail.length); count += 1) {
    const byte = tail[tail.length - count] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > count ? count : 0;
    }
  }
  return 0;
}
