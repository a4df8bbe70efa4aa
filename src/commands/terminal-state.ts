/**
 * What @xterm/addon-serialize leaves out of a picture, as bytes that set it: scroll margins, the saved cursor, character sets, the look of the
 * cursor, and how a mouse reports. Reads parts of the library that have no public name, each with care: what is missing is left out.
 */
import type { Terminal } from '@xterm/headless';
import type { ParserPlace } from './unfinished-sequence.js';

/** What a cell, or the next character, looks like. */
interface Look {
  isBold(): number;
  isDim(): number;
  isItalic(): number;
  isUnderline(): number;
  getUnderlineStyle(): number;
  isBlink(): number;
  isInverse(): number;
  isInvisible(): number;
  isStrikethrough(): number;
  getFgColorMode(): number;
  getFgColor(): number;
  getBgColorMode(): number;
  getBgColor(): number;
}

interface InnerTerminal {
  readonly buffer?: {
    readonly scrollTop?: number;
    readonly scrollBottom?: number;
    readonly ybase?: number;
    readonly savedX?: number;
    readonly savedY?: number;
    readonly savedCurAttrData?: Look;
  };
  readonly coreService?: {
    readonly isCursorHidden?: boolean;
    readonly decPrivateModes?: { readonly cursorStyle?: string; readonly cursorBlink?: boolean };
  };
  readonly coreMouseService?: { readonly activeEncoding?: string };
  readonly _charsetService?: {
    readonly glevel?: number;
    readonly charset?: { q?: string };
    readonly _charsets?: readonly ({ q?: string } | undefined)[];
  };
  readonly _inputHandler?: {
    readonly _curAttrData?: Look;
    readonly _parser?: { readonly currentState?: number; readonly precedingJoinState?: number };
  };
}

/** Mouse encodings by the mode that switches them on. */
const MOUSE_ENCODINGS: Readonly<Record<string, number>> = { SGR: 1006, SGR_PIXELS: 1016 };
/** What DECSCUSR calls a steady cursor of that form; the blinking one is one less. */
const CURSOR_STYLES: Readonly<Record<string, number>> = { block: 2, underline: 4, bar: 6 };
/** Designators of the character sets G0 to G3. */
const DESIGNATORS = ['(', ')', '*', '+'];
/** Which letter shows a line where the character set is the one for drawing. */
const LINE_LETTER = 'q';
const HORIZONTAL_LINE = '─';
/** How the library stores a colour. */
const ColourMode = { palette16: 0x1000000, palette256: 0x2000000, rgb: 0x3000000 } as const;
/** The parser's state between two sequences. */
const GROUND = 0;
/** The last of its states in which a control character does its work in the middle of a sequence (CSI_IGNORE); behind it are those of strings. */
const LAST_OF_SEQUENCES = 6;

/** Where the parser of a terminal is. */
export function parserPlace(terminal: Terminal): ParserPlace {
  const state = innerOf(terminal)._inputHandler?._parser?.currentState ?? GROUND;
  if (state === GROUND) return 'between';
  return state <= LAST_OF_SEQUENCES ? 'sequence' : 'string';
}

/** Sets what a serialized picture leaves out, behind that picture. */
export function stateBeyondPicture(terminal: Terminal): string {
  const inner = innerOf(terminal);
  const hidden = inner.coreService?.isCursorHidden === true ? '\x1b[?25l' : '';
  const encoding = MOUSE_ENCODINGS[inner.coreMouseService?.activeEncoding ?? ''];
  const mouse = encoding === undefined ? '' : `\x1b[?${encoding}h`;
  const state = `${places(terminal, inner)}${cursorStyle(inner)}${hidden}${mouse}${characterSets(inner)}`;
  // AFTER all of that: any sequence makes the terminal forget which character came last.
  return `${state}${lastCharacter(terminal, inner)}`;
}

function innerOf(terminal: Terminal): InnerTerminal {
  return (terminal as unknown as { _core?: InnerTerminal })._core ?? {};
}

/**
 * The saved cursor, the margins and origin mode, and then the cursor, which all of them move. The cursor comes always: a picture leaves it
 * elsewhere in a wrapped row that was erased.
 */
function places(terminal: Terminal, inner: InnerTerminal): string {
  const { buffer } = inner;
  const top = buffer?.scrollTop ?? 0;
  const bottom = buffer?.scrollBottom ?? terminal.rows - 1;
  const hasMargins = top !== 0 || bottom !== terminal.rows - 1;
  const savedRow = Math.max(0, (buffer?.savedY ?? 0) - (buffer?.ybase ?? 0));
  const savedCol = buffer?.savedX ?? 0;
  const savedLook = look(buffer?.savedCurAttrData);
  const hasSaved = savedRow !== 0 || savedCol !== 0 || savedLook !== look(undefined);
  const { originMode, insertMode } = terminal.modes;
  const repainted = repaintedRows(terminal);
  const current = look(inner._inputHandler?._curAttrData);
  // Places count from the upper margin in origin mode.
  const saved = `${savedLook}${moveTo(savedRow, savedCol)}\x1b7${current}`;
  const margins = hasMargins ? `\x1b[${top + 1};${bottom + 1}r` : '';
  const { cursorX, cursorY } = terminal.buffer.active;
  const cursor = moveTo(cursorY - (originMode ? top : 0), Math.min(cursorX, terminal.cols - 1));
  return `\x1b[?6l\x1b[4l${repainted}${hasSaved ? saved : ''}${margins}${originMode ? '\x1b[?6h' : ''}${insertMode ? '\x1b[4h' : ''}${cursor}${current}`;
}

/**
 * Rows that a picture gets wrong, once more: those with nothing but a background, of which it drops the last ones, and those that wrap where
 * a cell is empty: before a wide character that found no room it leaves a dash, and before an erased beginning it takes a character away.
 */
function repaintedRows(terminal: Terminal): string {
  const { active } = terminal.buffer;
  let text = '';
  for (let row = 0; row < terminal.rows; row += 1) {
    const line = active.getLine(active.baseY + row);
    if (line === undefined) continue;
    const next = active.getLine(active.baseY + row + 1);
    const endsEmpty = line.getCell(terminal.cols - 1)?.getChars() === '';
    const goesOnEmpty = next?.getCell(0)?.getChars() === '';
    if (next?.isWrapped === true && (endsEmpty || goesOnEmpty)) text += repaintedRow(terminal, line, row);
    else if (line.translateToString(true) === '') text += erasedRow(terminal, line, row);
  }
  return text;
}

type Line = NonNullable<ReturnType<Terminal['buffer']['active']['getLine']>>;

function erasedRow(terminal: Terminal, line: Line, row: number): string {
  let text = '';
  for (let col = 0; col < terminal.cols; ) {
    const background = lookAt(line, col);
    let end = col + 1;
    while (end < terminal.cols && lookAt(line, end) === background) end += 1;
    // Erases to that background.
    if (line.getCell(col)?.getBgColorMode() !== 0) text += `${moveTo(row, col)}${background}\x1b[${end - col}X`;
    col = end;
  }
  return text;
}

function repaintedRow(terminal: Terminal, line: Line, row: number): string {
  let text = '';
  for (let col = 0; col < terminal.cols; col += 1) {
    const cell = line.getCell(col);
    if (cell === undefined || cell.getWidth() === 0) continue;
    text += `${moveTo(row, col)}${lookAt(line, col)}${cell.getChars() || '\x1b[X'}`;
  }
  return text;
}

function lookAt(line: Line, col: number): string {
  return look(line.getCell(col) as unknown as Look | undefined);
}

/**
 * Writes the character once more that came last, if nothing has come behind it: the next one may join it, and behind the last column only a
 * character brings the cursor to where it waits to wrap.
 */
function lastCharacter(terminal: Terminal, inner: InnerTerminal): string {
  const { active } = terminal.buffer;
  const waitsToWrap = active.cursorX >= terminal.cols;
  const mayJoin = (inner._inputHandler?._parser?.precedingJoinState ?? 0) !== 0 && active.cursorX > 0;
  const { insertMode, originMode } = terminal.modes;
  if (!waitsToWrap && !mayJoin) return '';
  const line = active.getLine(active.baseY + active.cursorY);
  const before = Math.min(active.cursorX, terminal.cols) - 1;
  const col = line?.getCell(before)?.getWidth() === 0 ? before - 1 : before;
  const cell = line?.getCell(col);
  if (cell === undefined) return '';
  const top = originMode ? (inner.buffer?.scrollTop ?? 0) : 0;
  // In insert mode it would push the rest of the line on: it is taken out before.
  const takenOut = insertMode ? `\x1b[${cell.getWidth()}P` : '';
  const text = `${look(cell as unknown as Look)}${takenOut}${cell.getChars() || ' '}`;
  return `${moveTo(active.cursorY - top, col)}${text}${mayJoin ? '' : look(inner._inputHandler?._curAttrData)}`;
}

function moveTo(row: number, col: number): string {
  return `\x1b[${row + 1};${col + 1}H`;
}

function look(of: Look | undefined): string {
  if (of === undefined) return '\x1b[0m';
  const styles = [
    [of.isBold(), 1],
    [of.isDim(), 2],
    [of.isItalic(), 3],
    [of.isBlink(), 5],
    [of.isInverse(), 7],
    [of.isInvisible(), 8],
    [of.isStrikethrough(), 9],
  ].flatMap(([isSet, code]) => (isSet ? [code] : []));
  const underline = of.isUnderline() ? [`4:${of.getUnderlineStyle()}`] : [];
  const foreground = colour(of.getFgColorMode(), of.getFgColor(), 30);
  const background = colour(of.getBgColorMode(), of.getBgColor(), 40);
  return `\x1b[${[0, ...styles, ...underline, ...foreground, ...background].join(';')}m`;
}

/** @param base 30 for the foreground, 40 for the background */
function colour(mode: number, value: number, base: number): number[] {
  if (mode === ColourMode.rgb) return [base + 8, 2, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff];
  if (mode === ColourMode.palette256) return [base + 8, 5, value];
  if (mode !== ColourMode.palette16) return [];
  return [value < 8 ? base + value : base + 60 + value - 8];
}

function cursorStyle({ coreService }: InnerTerminal): string {
  const { cursorStyle: style, cursorBlink } = coreService?.decPrivateModes ?? {};
  const number = CURSOR_STYLES[style ?? ''];
  return number === undefined ? '' : `\x1b[${cursorBlink === true ? number - 1 : number} q`;
}

function characterSets({ _charsetService: service }: InnerTerminal): string {
  const drawing = DESIGNATORS.map((designator, at) => {
    // The one in use may be another than was designated: a restored cursor brings its own.
    const set = at === service?.glevel ? service.charset : service?._charsets?.[at];
    return set?.[LINE_LETTER] === HORIZONTAL_LINE ? `\x1b${designator}0` : '';
  }).join('');
  return `${drawing}${service?.glevel === 1 ? '\x0e' : ''}`;
}
