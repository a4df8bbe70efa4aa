/**
 * Paints the rows of a screen as bytes: each cell with its look, and each row that goes on in the next one so that it does the same afterwards. Knows
 * the rows and nothing else of a terminal.
 */
import type { IBuffer, IBufferCell, IBufferLine } from '@xterm/headless';
import { erasedLookOf, type Look, lookOf, PLAIN } from './terminal-look.js';

/** Any character of two columns. In the last column it finds no room, which leaves an empty cell with the look of that character. */
const WIDE = '漢';
/** Any character of one column. */
const NARROW = 'x';

export interface Size {
  readonly rows: number;
  readonly cols: number;
}

/** Paints all rows of a buffer, from home on, on a screen that is empty. Leaves the look plain. */
export function rowsOf(buffer: IBuffer, size: Size): string {
  const painter = new RowPainter(size);
  const first = buffer.getLine(0);
  // The row before it is gone, or was on a screen that keeps no old rows.
  if (first?.isWrapped === true && buffer.baseY === 0) painter.goOnFromNowhere();
  for (let row = 0; row < buffer.length; row += 1) {
    const line = buffer.getLine(row);
    if (line === undefined) break;
    painter.paint(line);
    if (row + 1 === buffer.length) break;
    if (buffer.getLine(row + 1)?.isWrapped === true) painter.wrap(line);
    else painter.newLine();
  }
  return painter.finish();
}

class RowPainter {
  readonly #size: Size;
  #text = '';
  #look = PLAIN;

  constructor(size: Size) {
    this.#size = size;
  }

  finish(): string {
    this.#setLook(PLAIN);
    return this.#text;
  }

  newLine(): void {
    // BEFORE the line feed, because a row that scrolls in gets the background.
    this.#setLook(PLAIN);
    this.#text += '\r\n';
  }

  /** Makes the first row one that goes on from an earlier one: there is one above it for a moment. */
  goOnFromNowhere(): void {
    if (this.#size.rows === 1) return;
    this.#text += `${column(this.#size.cols - 1)}${NARROW}${NARROW}\x1b[H\x1b[M`;
    this.#clearRow();
  }

  /** Paints a row that is empty; the cursor is at its beginning. */
  paint(line: IBufferLine): void {
    const { cols } = this.#size;
    for (let col = 0; col < cols; col += 1) if (isTornHalf(line, col)) this.#tear(line, col);
    let cursor = 0;
    for (let col = 0; col < cols; ) {
      const cell = line.getCell(col);
      if (cell === undefined) break;
      const width = cell.getWidth();
      if (isErased(cell)) {
        const end = endOfErased(line, col, cols);
        this.#erase(cell, col, end);
        col = end;
        continue;
      }
      if (isTornHalf(line, col)) {
        col += 1;
        continue;
      }
      // What has no width would join the character before it.
      if (cursor !== col || width === 0) this.#text += column(col);
      this.#setLook(lookAt(line, col));
      const fits = col + width <= cols;
      this.#text += (fits && cell.getChars()) || ' ';
      col += Math.max(1, width);
      cursor = col;
    }
  }

  /** Goes from a row that was painted to the next one, which becomes one that goes on from it, and is empty. */
  wrap(line: IBufferLine): void {
    const { rows, cols } = this.#size;
    const last = line.getCell(cols - 1);
    const isPrinted = last !== undefined && !isEmpty(last);
    if (last === undefined || (rows === 1 && !isPrinted) || isTornHalf(line, cols - 1)) {
      this.newLine();
      return;
    }
    if (isPrinted) {
      // The cursor waits behind the last column.
      this.#setLook(PLAIN);
      this.#text += NARROW;
    } else if (isErased(last)) {
      this.#setLook(PLAIN);
      this.#text += `${column(cols - 1)}${NARROW}${NARROW}\x1b[A${column(cols - 1)}`;
      this.#setLook(erasedLookOf(last as unknown as Look));
      this.#text += '\x1b[X\x1b[B';
    } else {
      this.#text += column(cols - 1);
      this.#setLook(lookAt(line, cols - 1));
      this.#text += WIDE;
    }
    this.#clearRow();
  }

  #clearRow(): void {
    this.#setLook(PLAIN);
    // Not by EL, which would also make it a row of its own.
    this.#text += `\r\x1b[${this.#size.cols}X`;
  }

  #erase(cell: IBufferCell, col: number, end: number): void {
    if (cell.getBgColorMode() === 0) return;
    this.#text += column(col);
    this.#setLook(erasedLookOf(cell as unknown as Look));
    this.#text += `\x1b[${end - col}X`;
  }

  /** Makes the second half of a wide character without the first, as inserting between the two does. The two cells before it are empty. */
  #tear(line: IBufferLine, col: number): void {
    this.#text += column(col - 2);
    this.#setLook(lookAt(line, col));
    this.#text += `${WIDE}${column(col - 1)}\x1b[@${column(col - 2)}`;
    this.#setLook(PLAIN);
    this.#text += `\x1b[2X\r`;
  }

  #setLook(look: string): void {
    if (look !== this.#look) this.#text += look;
    this.#look = look;
  }
}

function column(col: number): string {
  return `\x1b[${col + 1}G`;
}

export function lookAt(line: IBufferLine, col: number): string {
  return lookOf(line.getCell(col) as unknown as Look | undefined);
}

function isEmpty(cell: IBufferCell): boolean {
  return cell.getChars() === '' && cell.getWidth() > 0;
}

/** Whether it is as erasing leaves it: empty, with nothing but a background. */
function isErased(cell: IBufferCell): boolean {
  return isEmpty(cell) && lookOf(cell as unknown as Look) === erasedLookOf(cell as unknown as Look);
}

/** The first column at or behind `col` that is not erased to the same background. */
function endOfErased(line: IBufferLine, col: number, cols: number): number {
  const background = lookAt(line, col);
  for (let end = col + 1; end < cols; end += 1) {
    const cell = line.getCell(end);
    if (cell === undefined || !isErased(cell) || lookAt(line, end) !== background) return end;
  }
  return cols;
}

/** Whether it is the second half of a wide character whose first half is elsewhere. */
function isTornHalf(line: IBufferLine, col: number): boolean {
  const cell = line.getCell(col);
  if (col < 2 || cell === undefined || cell.getWidth() > 0 || cell.getChars() !== '') return false;
  return line.getCell(col - 1)?.getWidth() !== 2;
}
