/** Bytes as text and back, with what every browser has: as base64, and as Latin-1, which has one character for each byte. Knows no protocol. */

/** Arguments that `String.fromCharCode` takes in one call on every engine. */
const PIECE_BYTES = 0x8000;

/** The native decoder of browsers since 2025, which is a hundred times faster. */
interface NativeBase64 {
  readonly fromBase64?: (text: string) => Uint8Array;
}

/** Encodes bytes. */
export function encodeBase64(bytes: Uint8Array): string {
  return btoa(latin1Of(bytes));
}

/** Decodes a text. */
export function decodeBase64(text: string): Uint8Array {
  const native = (Uint8Array as NativeBase64).fromBase64;
  return native === undefined ? bytesOfLatin1(atob(text)) : native.call(Uint8Array, text);
}

/** Each byte as the character of the same number. */
export function latin1Of(bytes: Uint8Array): string {
  let text = '';
  for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
    text += String.fromCharCode(...bytes.subarray(from, from + PIECE_BYTES));
  }
  return text;
}

/** The opposite of {@link latin1Of}. */
export function bytesOfLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}
