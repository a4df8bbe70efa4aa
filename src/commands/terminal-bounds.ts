/**
 * Bounds what a program can do to the terminal that follows it inside of this process: no sequence may take long, hold much memory, or end in an error.
 * Shows the same as the library alone for everything that a terminal is used for.
 */
import type { Terminal } from '@xterm/headless';
import { CommandError } from './command-error.js';
import { innerOf } from './terminal-inner.js';

/** Cells of a window with the lines above it. At 12 bytes each some 12 MB, and four times as many as a screen of 4K shows in its smallest letters. */
const MAX_CELLS = 1_000_000;
/** How often a character is repeated by one sequence (REP): more than a window holds. */
const MAX_REPEATS = 65_535;
/** Operating system commands that set a title. */
const TITLES = [0, 1, 2];
/** Those for links and for the colours of a palette. */
const NOT_IN_PICTURE = [4, 8, 10, 11, 12, 104, 110, 111, 112];
/** Characters of a title. */
const MAX_TITLE = 1024;
/** Characters that join one cell: more than any script or emoji needs. The library would hold any number. */
const MAX_JOINED = 31;
/** Erases from the beginning to the cursor, or everything. */
const ToErase = { above: 1, all: 2 } as const;
/** The library's value for a character of one column that joins nothing: its width, shifted by one. */
const ONE_COLUMN = 1 << 1;
const JOINS = 1;
/** Bits below the number of joined characters. */
const COUNT_SHIFT = 3;
const FIRST_PRINTABLE = 0x20;
const LAST_ASCII = 0x7e;

/** Sequences that the library carries out as often as they say, by their last letter. */
const REPEATED = [
  { final: 'L', method: 'insertLines', most: (terminal: Terminal) => terminal.rows },
  { final: 'M', method: 'deleteLines', most: (terminal: Terminal) => terminal.rows },
  { final: 'S', method: 'scrollUp', most: (terminal: Terminal) => terminal.rows },
  { final: 'T', method: 'scrollDown', most: (terminal: Terminal) => terminal.rows },
  { final: 'I', method: 'cursorForwardTab', most: (terminal: Terminal) => terminal.cols },
  { final: 'Z', method: 'cursorBackwardTab', most: (terminal: Terminal) => terminal.cols },
  { final: 'b', method: 'repeatPrecedingCharacter', most: () => MAX_REPEATS },
] as const;

/** @throws {CommandError} noRoom for a window that would take too much memory */
export function requireBoundedSize({ rows, cols }: { rows: number; cols: number }, linesAbove: number): void {
  if ((rows + linesAbove) * cols > MAX_CELLS) throw new CommandError('noRoom', { bound: 'screenCells' });
}

/** Bounds a terminal, once, before anything is written to it. */
export function boundTerminal(terminal: Terminal): void {
  boundRepeats(terminal);
  eraseWithoutError(terminal);
  boundTexts(terminal);
  boundJoins(terminal);
}

function boundRepeats(terminal: Terminal): void {
  for (const { final, method, most } of REPEATED) {
    terminal.parser.registerCsiHandler({ final }, ([times]) => {
      const bound = most(terminal);
      if (typeof times !== 'number' || times <= bound) return false;
      innerOf(terminal)._inputHandler?.[method]?.({ params: [bound], length: 1 });
      return true;
    });
  }
}

/** The library fails when it is to erase everything above the last cell of the last row. */
function eraseWithoutError(terminal: Terminal): void {
  for (const id of [{ final: 'J' }, { prefix: '?', final: 'J' }]) {
    terminal.parser.registerCsiHandler(id, ([what]) => {
      const { cursorX, cursorY } = terminal.buffer.active;
      if (what !== ToErase.above || cursorX < terminal.cols - 1 || cursorY < terminal.rows - 1) return false;
      innerOf(terminal)._inputHandler?.eraseInDisplay?.({ params: [ToErase.all], length: 1 }, id.prefix !== undefined);
      return true;
    });
  }
}

/** Texts of sequences may have 10 MB each. The library holds any number of links, and takes hours for a list of colours of that length. */
function boundTexts(terminal: Terminal): void {
  for (const title of TITLES) terminal.parser.registerOscHandler(title, (text) => text.length > MAX_TITLE);
  for (const unseen of NOT_IN_PICTURE) terminal.parser.registerOscHandler(unseen, () => true);
}

/** Counts in the library's value of a character how many have joined it; what is too much gets a cell of its own. */
function boundJoins(terminal: Terminal): void {
  const known = innerOf(terminal).unicodeService?._activeProvider;
  if (known === undefined) return;
  terminal.unicode.register({
    version: 'bounded',
    wcwidth: (code) => known.wcwidth(code) as 0 | 1 | 2,
    charProperties: (code, preceding) => {
      if (code >= FIRST_PRINTABLE && code <= LAST_ASCII) return ONE_COLUMN;
      const properties = known.charProperties(code, preceding);
      if ((properties & JOINS) === 0) return properties;
      const joined = (preceding >> COUNT_SHIFT) + 1;
      return joined > MAX_JOINED ? 0 : (joined << COUNT_SHIFT) | properties;
    },
  });
  terminal.unicode.activeVersion = 'bounded';
}
