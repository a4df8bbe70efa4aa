/**
 * The picture of a terminal: bytes that make an empty terminal of the same size show the same, and treat what follows in the same way. Paints both screens,
 * and sets what belongs to each of them (saved cursor, margins, tab stops) and to the terminal (modes, character sets, cursor).
 */
import type { Terminal } from '@xterm/headless';
import { type InnerBuffer, innerOf, isForDrawing, mayJoin } from './terminal-inner.js';
import { lookOf, PLAIN } from './terminal-look.js';
import { lookAt, rowsOf } from './terminal-rows.js';

/** Mouse encodings by the mode that switches them on. */
const MOUSE_ENCODINGS: Readonly<Record<string, number>> = { SGR: 1006, SGR_PIXELS: 1016 };
/** What the mouse reports by the mode that switches it on. */
const MOUSE_TRACKING: Readonly<Record<string, number>> = { x10: 9, vt200: 1000, drag: 1002, any: 1003 };
/** What DECSCUSR calls a steady cursor of that form; the blinking one is one less. */
const CURSOR_STYLES: Readonly<Record<string, number>> = { block: 2, underline: 4, bar: 6 };
/** Designators of the character sets G0 to G3. */
const DESIGNATORS = ['(', ')', '*', '+'];
/** Takes G0 to G3 into use. */
const SHIFTS = ['', '\x0e', '\x1bn', '\x1bo'];
const DRAWING_IN_G0 = '\x1b(0';
const ASCII_IN_G0 = '\x1b(B';
/** Columns between two tab stops of a terminal that has just begun. */
const TAB_WIDTH = 8;

/** @see file comment */
export function pictureOf(terminal: Terminal): string {
  const { normal, alt } = innerOf(terminal).buffers ?? {};
  const isAlternate = terminal.buffer.active.type === 'alternate';
  const rows = rowsOf(terminal.buffer.normal, terminal);
  const charset = charsetInUse(terminal);
  const active = isAlternate ? alt : normal;
  const savedSet = charset.isRestored ? charset.isDrawing : isForDrawing(active?.savedCharset);
  const ofActive = stateOf(terminal, active, cursorToSave(terminal, active, savedSet));
  const screens = isAlternate
    ? `${rows}${enterAlternate(terminal, normal)}${rowsOf(terminal.buffer.alternate, terminal)}${ofActive}`
    : `${rows}${savedOfAlternate(terminal, alt)}${ofActive}`;
  return `${screens}${modes(terminal)}${cursor(terminal, charset)}`;
}

/** What belongs to one screen. @param saved sets its saved cursor */
function stateOf(terminal: Terminal, buffer: InnerBuffer | undefined, saved: string): string {
  return `${tabStops(terminal, buffer)}${saved === '' ? '' : `${saved}\x1b7${ASCII_IN_G0}${PLAIN}`}${margins(terminal, buffer)}`;
}

/** Goes to where a buffer's cursor was saved, with its look and character set. Empty if it was not. */
function cursorToSave(terminal: Terminal, buffer: InnerBuffer | undefined, isDrawing: boolean): string {
  const row = Math.min(terminal.rows - 1, Math.max(0, (buffer?.savedY ?? 0) - (buffer?.ybase ?? 0)));
  const col = Math.min(terminal.cols - 1, buffer?.savedX ?? 0);
  const look = lookOf(buffer?.savedCurAttrData);
  if (row === 0 && col === 0 && look === PLAIN && !isDrawing) return '';
  return `${moveTo(row, col)}${look}${isDrawing ? DRAWING_IN_G0 : ''}`;
}

/** Goes to the alternate screen, which saves the cursor of the normal one. Its margins and tab stops come before that, because they move the cursor. */
function enterAlternate(terminal: Terminal, normal: InnerBuffer | undefined): string {
  const saved = cursorToSave(terminal, normal, isForDrawing(normal?.savedCharset)) || moveTo(0, 0);
  const state = stateOf(terminal, normal, '');
  return `${state}${saved}\x1b[?1049h${ASCII_IN_G0}${PLAIN}\x1b[2J${moveTo(0, 0)}`;
}

/** The alternate screen has a saved cursor also while nobody sees it. */
function savedOfAlternate(terminal: Terminal, alt: InnerBuffer | undefined): string {
  const saved = cursorToSave(terminal, alt, isForDrawing(alt?.savedCharset));
  return saved === '' ? '' : `\x1b[?1047h${saved}\x1b7${ASCII_IN_G0}${PLAIN}\x1b[?1047l`;
}

function margins({ rows }: Terminal, buffer: InnerBuffer | undefined): string {
  const top = buffer?.scrollTop ?? 0;
  const bottom = buffer?.scrollBottom ?? rows - 1;
  return top === 0 && bottom === rows - 1 ? '' : `\x1b[${top + 1};${bottom + 1}r`;
}

function tabStops({ cols }: Terminal, buffer: InnerBuffer | undefined): string {
  const { tabs } = buffer ?? {};
  if (tabs === undefined) return '';
  const columns = Array.from({ length: cols }, (_, col) => col);
  if (columns.every((col) => (tabs[col] === true) === (col % TAB_WIDTH === 0))) return '';
  const stops = columns.filter((col) => tabs[col] === true).map((col) => `\x1b[${col + 1}G\x1bH`);
  return `\x1b[3g${stops.join('')}`;
}

function modes(terminal: Terminal): string {
  const { modes: on, options } = terminal;
  const { coreService, coreMouseService } = innerOf(terminal);
  const tracking = MOUSE_TRACKING[on.mouseTrackingMode];
  const encoding = MOUSE_ENCODINGS[coreMouseService?.activeEncoding ?? ''];
  const { cursorStyle, cursorBlink } = coreService?.decPrivateModes ?? {};
  const style = CURSOR_STYLES[cursorStyle ?? ''];
  return [
    on.applicationCursorKeysMode ? '\x1b[?1h' : '',
    on.applicationKeypadMode ? '\x1b=' : '',
    on.bracketedPasteMode ? '\x1b[?2004h' : '',
    on.sendFocusMode ? '\x1b[?1004h' : '',
    on.reverseWraparoundMode ? '\x1b[?45h' : '',
    on.wraparoundMode ? '' : '\x1b[?7l',
    on.insertMode ? '\x1b[4h' : '',
    on.originMode ? '\x1b[?6h' : '',
    options.convertEol === true ? '\x1b[20h' : '',
    options.cursorBlink === true ? '\x1b[?12h' : '',
    tracking === undefined ? '' : `\x1b[?${tracking}h`,
    encoding === undefined ? '' : `\x1b[?${encoding}h`,
    style === undefined ? '' : `\x1b[${cursorBlink === true ? style - 1 : style} q`,
    coreService?.isCursorHidden === true ? '\x1b[?25l' : '',
  ].join('');
}

interface CharsetInUse {
  readonly isDrawing: boolean;
  /** Whether it came back with a saved cursor, so that it is not the one that its place G0 to G3 was given. */
  readonly isRestored: boolean;
  /** Gives the places their sets and takes one into use. */
  readonly text: string;
}

function charsetInUse(terminal: Terminal): CharsetInUse {
  const { glevel = 0, charset, _charsets = [] } = innerOf(terminal)._charsetService ?? {};
  const isDrawing = isForDrawing(charset);
  const isRestored = isDrawing !== isForDrawing(_charsets[glevel]);
  const given = DESIGNATORS.map((designator, at) => (isForDrawing(_charsets[at]) ? `\x1b${designator}0` : ''));
  const text = `${given.join('')}${SHIFTS[glevel] ?? ''}`;
  return { isDrawing, isRestored, text: isRestored ? `${text}\x1b8` : text };
}

/** The cursor, its look, and the character set. */
function cursor(terminal: Terminal, charset: CharsetInUse): string {
  const { active } = terminal.buffer;
  const inner = innerOf(terminal);
  const top = terminal.modes.originMode
    ? (inner.buffers?.[active.type === 'alternate' ? 'alt' : 'normal']?.scrollTop ?? 0)
    : 0;
  const row = active.cursorY - top;
  const current = lookOf(inner._inputHandler?._curAttrData);
  const place = `${moveTo(row, Math.min(active.cursorX, terminal.cols - 1))}${current}`;
  const joins = active.cursorX > 0 && mayJoin(terminal);
  if (joins) return `${charset.text}${place}${lastCharacter(terminal, row)}`;
  const waits = active.cursorX >= terminal.cols ? `${lastCharacter(terminal, row)}${current}` : '';
  // The last character was written before a set was chosen that may change it, or with a set that came back with a saved cursor, which moves.
  return charset.isRestored ? `${charset.text}${place}${waits}` : `${place}${waits}${charset.text}`;
}

/**
 * Writes the character before the cursor once more: the next one may join it, or behind the last column only a character brings the cursor to where it
 * waits to wrap.
 */
function lastCharacter(terminal: Terminal, row: number): string {
  const { active } = terminal.buffer;
  const line = active.getLine(active.baseY + active.cursorY);
  const before = Math.min(active.cursorX, terminal.cols) - 1;
  const isHalf = line?.getCell(before)?.getWidth() === 0 && line.getCell(before - 1)?.getWidth() === 2;
  const col = isHalf ? before - 1 : before;
  const cell = line?.getCell(col);
  if (line === undefined || cell === undefined) return '';
  // In insert mode it would push the rest of the row on, so it is taken out before.
  const takenOut = terminal.modes.insertMode ? `\x1b[${Math.max(1, cell.getWidth())}P` : '';
  return `${moveTo(row, col)}${lookAt(line, col)}${takenOut}${cell.getChars() || ' '}`;
}

function moveTo(row: number, col: number): string {
  return `\x1b[${row + 1};${col + 1}H`;
}
