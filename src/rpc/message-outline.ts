/**
 * Reads as much of a JSON text as is possible without building any value: how many values it may hold, and how its outermost members are spelled. It
 * walks over the bytes once. The outline of a text that is no JSON means nothing.
 */

/** A member of the outermost object that an outline can look up. */
export type OutlineMember = 'id' | 'method' | 'jsonrpc' | 'result' | 'error';

const KNOWN: ReadonlySet<string> = new Set<OutlineMember>(['id', 'method', 'jsonrpc', 'result', 'error']);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Longest name that is looked at: `jsonrpc` with each character escaped, and its quotes. */
const LONGEST_NAME_BYTES = 7 * 6 + 2;
/** Longest value that is returned: longer than any method's name and any integer with white space around it. */
const LONGEST_VALUE_BYTES = 1024;
/** The end of a longer string is searched by native code, which is slower to call and faster to run. */
const LOOP_BYTES = 64;
/** After so many escaped quotes the loop takes over again, because each search costs a call. */
const MAX_SEARCHES = 1000;

/** Bounds of the text outside of strings, where each byte may cost as much as a value. */
export const outlineBounds = {
  /** Commas, colons and opening brackets: a text has at most one value more than these. */
  maxStructuralCharacters: 200_000,
  /** All bytes outside of strings, white space and numbers included. */
  maxBytesOutsideStrings: 1024 * 1024,
} as const;

/** What can be known of a JSON text before it is parsed. */
export class MessageOutline {
  /** The bound at which the walk stopped; members behind that point are not known. */
  exceeded: keyof typeof outlineBounds | undefined;
  readonly #bytes: Buffer;
  /** Where the values of the outermost members begin. Of a name that appears twice the last one counts, as in `JSON.parse`. */
  readonly #values = new Map<string, number>();

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#walk();
  }

  has(name: OutlineMember): boolean {
    return this.#values.has(name);
  }

  /** The spelling of a string, number or literal, without white space; undefined when it is absent or too long. */
  spellingOf(name: OutlineMember): string | undefined {
    const bytes = this.#bytes;
    let from = this.#values.get(name);
    if (from === undefined) return undefined;
    while (isWhiteSpace(bytes[from])) from += 1;
    if (bytes[from] === QUOTE) {
      const to = endOfString(bytes, from) + 1;
      return to - from > LONGEST_VALUE_BYTES ? undefined : bytes.toString('utf8', from, to);
    }
    const rest = bytes.toString('latin1', from, from + LONGEST_VALUE_BYTES);
    return /^[^,}\s]*/.exec(rest)?.[0];
  }

  #walk(): void {
    const bytes = this.#bytes;
    const { maxStructuralCharacters, maxBytesOutsideStrings } = outlineBounds;
    let depth = 0;
    let bytesInStrings = 0;
    let structural = 0;
    let nameFrom = 0;
    let nameTo = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      if (at - bytesInStrings > maxBytesOutsideStrings) this.exceeded = 'maxBytesOutsideStrings';
      else if (structural > maxStructuralCharacters) this.exceeded = 'maxStructuralCharacters';
      if (this.exceeded !== undefined) return;
      switch (bytes[at]) {
        case QUOTE: {
          const end = endOfString(bytes, at);
          if (depth === 1) {
            nameFrom = at;
            nameTo = end + 1;
          }
          bytesInStrings += end - at;
          at = end;
          break;
        }
        case COLON:
          structural += 1;
          if (depth === 1) this.#note(nameFrom, nameTo, at + 1);
          break;
        case COMMA:
          structural += 1;
          break;
        case OPEN_BRACE:
        case OPEN_BRACKET:
          structural += 1;
          depth += 1;
          break;
        case CLOSE_BRACE:
        case CLOSE_BRACKET:
          depth -= 1;
      }
    }
  }

  #note(nameFrom: number, nameTo: number, valueFrom: number): void {
    if (nameTo - nameFrom > LONGEST_NAME_BYTES) return;
    const name = unquote(this.#bytes.toString('utf8', nameFrom, nameTo));
    if (name !== undefined && KNOWN.has(name)) this.#values.set(name, valueFrom);
  }
}

function isWhiteSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** The text of a JSON string; undefined when the spelling is no string. */
function unquote(spelling: string): string | undefined {
  if (!spelling.includes('\\')) return spelling.slice(1, -1);
  try {
    return String(JSON.parse(spelling));
  } catch {
    return undefined;
  }
}

/** The end of the string that opens at `from`; the end of the bytes if the string is not closed. */
function endOfString(bytes: Buffer, from: number): number {
  const { length } = bytes;
  let at = from + 1;
  for (const loopEnd = Math.min(length, at + LOOP_BYTES); at < loopEnd; at += 1) {
    if (bytes[at] === QUOTE) return at;
    if (bytes[at] === BACKSLASH) at += 1;
  }
  for (let search = 0; search < MAX_SEARCHES; search += 1) {
    const quote = bytes.indexOf(QUOTE, at);
    if (quote < 0) return length;
    let escapes = quote;
    while (escapes > at && bytes[escapes - 1] === BACKSLASH) escapes -= 1;
    if ((quote - escapes) % 2 === 0) return quote;
    at = quote + 1;
  }
  for (; at < length; at += 1) {
    if (bytes[at] === QUOTE) return at;
    if (bytes[at] === BACKSLASH) at += 1;
  }
  return length;
}
