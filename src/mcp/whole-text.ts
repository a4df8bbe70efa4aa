/**
 * Makes text of output: where bytes may be cut without breaking a character or an escape sequence, and what a reader is shown. Knows no command.
 */
/** Longest unfinished escape sequence that is waited for: a window title or a link. */
const LONGEST_SEQUENCE_BYTES = 256;
const ESCAPE = 0x1b;
const NEWLINE = 0x0a;
/** An escape sequence that has not ended: ESC alone, CSI without its final byte, or a string without its end. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const UNFINISHED = /^\u001b(?:\[[0-?]*[ -/]*|[ -/]*|[\]PX^_][^\u0007\u001b]*\u001b?)?$/;
/** Whole escape sequences by ECMA-48: CSI with any parameters, strings such as titles and links, and short ones such as `ESC ( B` and `ESC =`. */
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b(?:[ -/]+[0-~]|[0-OQ-WYZ\\`-~])/g;
/** Characters that steer a terminal or break a reader, and not line feed, tab and carriage return. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;
/** Unicode's pictures of control characters begin here. */
const CONTROL_PICTURES = 0x2400;
const DELETE = 0x7f;
const PICTURE_OF_DELETE = 0x2421;
const REPLACEMENT = Buffer.from('\ufffd');

/** How output is shown: as text without escape sequences, or with every character as it came. */
export type View = 'text' | 'raw';

/** What a reader is shown. */
export interface ShownText {
  readonly text: string;
  /** Places that were no UTF-8 and are shown as U+FFFD. */
  readonly invalid: number;
}

/** Makes text of bytes. @param isTerminal whether carriage returns go back to the start of a line */
export function shownText(bytes: Buffer, view: View, isTerminal: boolean): ShownText {
  const decoded = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const invalid = countOf(decoded, '\ufffd') - countOfBytes(bytes, REPLACEMENT);
  if (view === 'raw') return { text: decoded, invalid };
  const plain = decoded.replace(SEQUENCES, '');
  const lines = isTerminal ? overwritten(plain) : plain;
  return { text: lines.replace(CONTROLS, pictureOf), invalid };
}

/** How many bytes of a text's beginning are whole characters and escape sequences. The rest waits for what follows it. */
export function wholeLength(bytes: Buffer): number {
  const wholeCharacters = bytes.length - brokenEnd(bytes);
  const from = Math.max(0, wholeCharacters - LONGEST_SEQUENCE_BYTES);
  const last = bytes.subarray(0, wholeCharacters).lastIndexOf(ESCAPE);
  if (last < from) return wholeCharacters;
  // The terminator of a string is an escape sequence itself.
  const opening = bytes.subarray(0, last).lastIndexOf(ESCAPE);
  for (const start of [opening, last]) {
    if (start >= from && UNFINISHED.test(bytes.toString('latin1', start, wholeCharacters))) return start;
  }
  return wholeCharacters;
}

/** Where to end the beginning of a long text: behind its last line, if that is near, else behind a whole character. */
export function headEnd(bytes: Buffer): number {
  const newline = bytes.lastIndexOf(NEWLINE) + 1;
  return newline > (bytes.length * 3) / 4 ? newline : wholeLength(bytes);
}

/** Where to begin the end of a long text, likewise. */
export function tailStart(bytes: Buffer): number {
  const newline = bytes.indexOf(NEWLINE) + 1;
  if (newline > 0 && newline < bytes.length / 4) return newline;
  let start = 0;
  while (start < 3 && isContinuation(bytes[start])) start += 1;
  return start;
}

/** Bytes at the end that are the beginning of one character: 0 to 3. */
export function brokenEnd(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (isContinuation(byte)) continue;
    return characterBytes(byte) > back ? back : 0;
  }
  return 0;
}

/** Bytes of the character that begins so; 1 for what begins none. */
function characterBytes(byte: number): number {
  if (byte < 0xc2 || byte > 0xf4) return 1;
  return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** Lines as a terminal shows them: what follows a carriage return stands in place of what was there. */
function overwritten(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replace(/\r+$/, '').replace(/^.*\r/, ''))
    .join('\n');
}

function pictureOf(character: string): string {
  const code = character.charCodeAt(0);
  return String.fromCharCode(code === DELETE ? PICTURE_OF_DELETE : CONTROL_PICTURES + code);
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}

function countOfBytes(bytes: Buffer, part: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(part); at >= 0; at = bytes.indexOf(part, at + part.length)) count += 1;
  return count;
}
