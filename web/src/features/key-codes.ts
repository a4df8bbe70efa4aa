/** What a terminal sends for keys that a phone's keyboard does not have, and for text with a modifier. Knows no element and no terminal. */

/** Keys of the key bar. */
export type KeyName =
  | 'Escape'
  | 'Tab'
  | 'ArrowUp'
  | 'ArrowDown'
  | 'ArrowRight'
  | 'ArrowLeft'
  | 'Home'
  | 'End'
  | 'PageUp'
  | 'PageDown';

/** Modifiers that are held, or that the key bar holds for the user. */
export interface Modifiers {
  readonly ctrl: boolean;
  readonly alt: boolean;
}

/** Final letters of the cursor keys. */
const CURSOR_KEYS: Readonly<Partial<Record<KeyName, string>>> = {
  ArrowUp: 'A',
  ArrowDown: 'B',
  ArrowRight: 'C',
  ArrowLeft: 'D',
  Home: 'H',
  End: 'F',
};
/** Numbers of the keys that end with a tilde. */
const TILDE_KEYS: Readonly<Partial<Record<KeyName, number>>> = { PageUp: 5, PageDown: 6 };
const ESCAPE = '\x1b';

/** What xterm sends for a key. @param options `applicationCursor`: the mode that programs such as vim switch on for cursor keys */
export function keySequence(key: KeyName, options: Modifiers & { readonly applicationCursor: boolean }): string {
  const { ctrl, alt, applicationCursor } = options;
  // As xterm counts: 1, and 2 more for Alt, and 4 more for Ctrl.
  const modifier = 1 + (alt ? 2 : 0) + (ctrl ? 4 : 0);
  const letter = CURSOR_KEYS[key];
  if (letter !== undefined) {
    if (modifier > 1) return `${ESCAPE}[1;${modifier}${letter}`;
    return `${ESCAPE}${applicationCursor ? 'O' : '['}${letter}`;
  }
  const number = TILDE_KEYS[key];
  if (number !== undefined) return `${ESCAPE}[${number}${modifier > 1 ? `;${modifier}` : ''}~`;
  const plain = key === 'Tab' ? '\t' : ESCAPE;
  return alt ? `${ESCAPE}${plain}` : plain;
}

/** Control characters of what is no letter: those of xterm. */
const CONTROLS: ReadonlyMap<string, string> = new Map([
  [' ', '\x00'],
  ['@', '\x00'],
  ['2', '\x00'],
  ['[', '\x1b'],
  ['3', '\x1b'],
  ['\\', '\x1c'],
  ['4', '\x1c'],
  [']', '\x1d'],
  ['5', '\x1d'],
  ['^', '\x1e'],
  ['6', '\x1e'],
  ['_', '\x1f'],
  ['/', '\x1f'],
  ['7', '\x1f'],
  ['?', '\x7f'],
  ['8', '\x7f'],
]);
/** The bits of a letter that its control character keeps. */
const CONTROL_BITS = 0x1f;

/** Typed text with modifiers. They count for the first character only, because a keyboard may give a whole word at once. */
export function withModifiers(text: string, { ctrl, alt }: Modifiers): string {
  const [first, ...rest] = text;
  if (first === undefined) return text;
  const typed = ctrl ? controlOf(first) : first;
  return `${alt ? ESCAPE : ''}${typed}${rest.join('')}`;
}

function controlOf(character: string): string {
  if (/^[A-Za-z]$/.test(character)) return String.fromCharCode(character.charCodeAt(0) & CONTROL_BITS);
  return CONTROLS.get(character) ?? character;
}
