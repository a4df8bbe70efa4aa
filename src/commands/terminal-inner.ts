/**
 * The parts of @xterm/headless that have no public name and that a picture needs. Everything is optional: a part that a later version lacks is left out
 * of the picture.
 */
import type { Terminal } from '@xterm/headless';
import type { Look } from './terminal-look.js';
import type { ParserPlace } from './unfinished-sequence.js';

/** One of the two screens. */
export interface InnerBuffer {
  readonly scrollTop?: number;
  readonly scrollBottom?: number;
  readonly ybase?: number;
  readonly savedX?: number;
  /** Row of the saved cursor, counted from the oldest row. */
  savedY?: number;
  readonly savedCurAttrData?: Look;
  readonly savedCharset?: InnerCharset | undefined;
  /** Tab stops by their column. */
  readonly tabs?: Readonly<Record<number, boolean>>;
}

/** What it writes in place of a character; undefined for ASCII. */
type InnerCharset = Readonly<Record<string, string>>;

interface InnerWidths {
  wcwidth(code: number): number;
  charProperties(code: number, preceding: number): number;
}

/** Carries out a sequence. */
type InnerHandler = (
  params: { readonly params: readonly number[]; readonly length: number },
  keepsProtected?: boolean,
) => unknown;

type InnerHandlers = {
  readonly [Name in
    | 'insertLines'
    | 'deleteLines'
    | 'scrollUp'
    | 'scrollDown'
    | 'cursorForwardTab'
    | 'cursorBackwardTab'
    | 'repeatPrecedingCharacter'
    | 'eraseInDisplay']?: InnerHandler;
};

interface InnerTerminal {
  readonly buffers?: { readonly normal?: InnerBuffer; readonly alt?: InnerBuffer };
  readonly coreService?: {
    readonly isCursorHidden?: boolean;
    readonly decPrivateModes?: { readonly cursorStyle?: string; readonly cursorBlink?: boolean };
  };
  readonly coreMouseService?: { readonly activeEncoding?: string };
  readonly _charsetService?: {
    readonly glevel?: number;
    readonly charset?: InnerCharset | undefined;
    readonly _charsets?: readonly (InnerCharset | undefined)[];
  };
  readonly unicodeService?: { readonly _activeProvider?: InnerWidths };
  /** Parses at once, and throws what its handlers throw. */
  writeSync?(bytes: Uint8Array): void;
  readonly _inputHandler?: InnerHandlers & {
    readonly _curAttrData?: Look;
    readonly _parser?: { readonly currentState?: number; readonly precedingJoinState?: number };
  };
}

/** The parser's state between two sequences. */
const GROUND = 0;
/** The last of its states in which a control character does its work in the middle of a sequence (CSI_IGNORE); behind it are those of strings. */
const LAST_OF_SEQUENCES = 6;
/** Which letter shows a line where the character set is the one for drawing. */
const LINE_LETTER = 'q';
const HORIZONTAL_LINE = '─';

export function innerOf(terminal: Terminal): InnerTerminal {
  return (terminal as unknown as { _core?: InnerTerminal })._core ?? {};
}

/**
 * Gives bytes to a terminal. An error of the library must end this terminal alone: by its public name it parses in a timer, where an error would end the
 * server, and which takes longer.
 * @returns resolves when the bytes are parsed; undefined when they are @throws {Error} when the library fails
 */
export function parse(terminal: Terminal, bytes: Buffer): Promise<void> | undefined {
  const inner = innerOf(terminal);
  if (inner.writeSync === undefined) return new Promise((resolve) => terminal.write(bytes, resolve));
  inner.writeSync(bytes);
  return undefined;
}

/** Where the parser of a terminal is. */
export function parserPlace(terminal: Terminal): ParserPlace {
  const state = innerOf(terminal)._inputHandler?._parser?.currentState ?? GROUND;
  if (state === GROUND) return 'between';
  return state <= LAST_OF_SEQUENCES ? 'sequence' : 'string';
}

/** Whether the next character may join the one before the cursor: nothing came behind that. */
export function mayJoin(terminal: Terminal): boolean {
  return (innerOf(terminal)._inputHandler?._parser?.precedingJoinState ?? 0) !== 0;
}

/** Whether a set is the one for drawing lines, the only one beside ASCII that is restored. */
export function isForDrawing(charset: InnerCharset | undefined): boolean {
  return charset?.[LINE_LETTER] === HORIZONTAL_LINE;
}
