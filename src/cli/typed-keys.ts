/**
 * Finds in what is typed the keys that are meant for this program: those that detach, and `~` at the start of a line as ssh has it. Knows no
 * terminal.
 */
import { CliError } from './exit-codes.js';

/** What to do with what was typed. */
export type Typed =
  | { readonly kind: 'send'; readonly bytes: Buffer }
  | { readonly kind: 'detach' }
  | { readonly kind: 'disconnect' }
  | { readonly kind: 'help' };

/** As docker has them. */
export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

const CR = 0x0d;
const LF = 0x0a;
const TILDE = 0x7e;
const DOT = 0x2e;
const QUESTION_MARK = 0x3f;
/** Ctrl takes the upper bits of a letter, and of @ [ \ ] ^ _. */
const CTRL_MASK = 0x1f;

/**
 * Reads keys as docker writes them: letters or `ctrl-` and one of a-z @ [ \ ] ^ _, with commas between. Empty: no keys detach.
 * @throws {CliError}
 */
export function parseDetachKeys(text: string): Buffer {
  if (text === '') return Buffer.alloc(0);
  const codes = text.split(',').map((key) => {
    const [, ctrl] = /^ctrl-([a-z@[\\\]^_])$/i.exec(key) ?? [];
    if (ctrl !== undefined) return ctrl.toUpperCase().charCodeAt(0) & CTRL_MASK;
    if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw new CliError(
      `--detach-keys ${text}: \`${key}\` is no key; expected such as \`ctrl-p,ctrl-q\` or \`ctrl-a,d\``,
    );
  });
  return Buffer.from(codes);
}

/** What is typed in one session. */
export class TypedKeys {
  readonly #detachKeys: Buffer;
  /** How many of the detach keys were typed last. They are held back until the next key shows whether they detach. */
  #matched = 0;
  #isLineStart = true;
  #hasTilde = false;

  constructor(detachKeys: Buffer) {
    this.#detachKeys = detachKeys;
  }

  push(bytes: Uint8Array): Typed[] {
    const typed: Typed[] = [];
    let out: number[] = [];
    const send = (): void => {
      if (out.length > 0) typed.push({ kind: 'send', bytes: Buffer.from(out) });
      out = [];
    };
    for (const byte of bytes) {
      if (this.#matches(byte, out)) {
        send();
        typed.push({ kind: 'detach' });
      } else if (this.#matched === 0) {
        const escaped = this.#escape(byte, out);
        if (escaped === undefined) continue;
        send();
        typed.push({ kind: escaped });
      }
    }
    send();
    return typed;
  }

  /** Takes one key. Held keys that do not detach go to `out`. @returns whether the detach keys are complete */
  #matches(byte: number, out: number[]): boolean {
    const keys = this.#detachKeys;
    if (keys.length === 0) return false;
    while (this.#matched > 0 && keys[this.#matched] !== byte) {
      // The held keys do not detach, but the last of them may begin the sequence again.
      const held = keys.subarray(0, this.#matched);
      let next = this.#matched - 1;
      while (next > 0 && !held.subarray(held.length - next).equals(keys.subarray(0, next))) next -= 1;
      out.push(...held.subarray(0, held.length - next));
      this.#isLineStart = false;
      this.#matched = next;
    }
    if (keys[this.#matched] !== byte) return false;
    this.#matched += 1;
    if (this.#matched < keys.length) return false;
    this.#matched = 0;
    return true;
  }

  /** Takes one key that is none of the detach keys, and sends it or reads it behind `~`. @returns what it asks for */
  #escape(byte: number, out: number[]): 'disconnect' | 'help' | undefined {
    if (this.#hasTilde) {
      this.#hasTilde = false;
      if (byte === DOT) return 'disconnect';
      if (byte === QUESTION_MARK) {
        this.#isLineStart = true;
        return 'help';
      }
      out.push(TILDE);
      if (byte === TILDE) {
        this.#isLineStart = false;
        return undefined;
      }
    } else if (byte === TILDE && this.#isLineStart) {
      this.#hasTilde = true;
      return undefined;
    }
    out.push(byte);
    this.#isLineStart = byte === CR || byte === LF;
    return undefined;
  }
}
