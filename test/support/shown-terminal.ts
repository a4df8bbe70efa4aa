/** The terminal of a client, without a window, and everything that its user would see. Knows no server. */
import headless from '@xterm/headless';
import { boundTerminal } from '../../src/commands/terminal-bounds.js';
import { parse } from '../../src/commands/terminal-inner.js';

const { Terminal } = headless;
type Terminal = InstanceType<typeof Terminal>;

/** Parts of the library that have no public name. */
interface Inner {
  readonly buffer: { readonly scrollTop: number; readonly scrollBottom: number };
  readonly coreService: { readonly isCursorHidden: boolean };
}

/** A terminal that takes bytes and shows them. */
export class ShownTerminal {
  readonly #terminal: Terminal;
  #title = '';

  constructor(rows: number, cols: number) {
    this.#terminal = new Terminal({ rows, cols, scrollback: 0, allowProposedApi: true, logLevel: 'off' });
    // The library throws for some sequences, so the server bounds its terminals in the same way.
    boundTerminal(this.#terminal);
    this.#terminal.onTitleChange((title) => {
      this.#title = title;
    });
  }

  get title(): string {
    return this.#title;
  }

  /** Resolves when the bytes are shown. */
  async write(bytes: Buffer): Promise<void> {
    await parse(this.#terminal, bytes);
  }

  resize(rows: number, cols: number): void {
    this.#terminal.resize(cols, rows);
  }

  /** What can be read in the window. */
  text(): string {
    const { active } = this.#terminal.buffer;
    const lines = Array.from({ length: this.#terminal.rows }, (_, row) => active.getLine(active.baseY + row));
    return lines.map((line) => line?.translateToString(true) ?? '').join('\n');
  }

  /** Lines with the attributes of their cells, the cursor, and the modes; for a comparison by `t.same`. */
  shown(): object {
    const terminal = this.#terminal;
    const inner = (terminal as unknown as { _core: Inner })._core;
    const { active } = terminal.buffer;
    const lines: string[] = [];
    for (let row = 0; row < terminal.rows; row += 1) lines.push(this.#line(active.baseY + row));
    const { scrollTop, scrollBottom } = inner.buffer;
    return {
      lines,
      cursor: [active.cursorY, active.cursorX],
      isHidden: inner.coreService.isCursorHidden,
      kind: active.type,
      modes: { ...terminal.modes },
      margins: [scrollTop, scrollBottom],
    };
  }

  dispose(): void {
    this.#terminal.dispose();
  }

  #line(at: number): string {
    const line = this.#terminal.buffer.active.getLine(at);
    const cells: string[] = [];
    for (let col = 0; col < this.#terminal.cols; col += 1) {
      const cell = line?.getCell(col);
      if (cell === undefined) continue;
      const colours = [cell.getFgColorMode(), cell.getFgColor(), cell.getBgColorMode(), cell.getBgColor()];
      const styles = [cell.isBold(), cell.isDim(), cell.isItalic(), cell.isUnderline(), cell.isInverse()];
      const more = [cell.isBlink(), cell.isInvisible(), cell.isStrikethrough(), cell.isOverline()];
      const look = `${colours}${[...styles, ...more].map((is) => (is ? 1 : 0)).join('')}`;
      const isPlain = look === '0,-1,0,-1000000000';
      // A cell that was never written looks like a blank.
      const text = cell.getWidth() === 0 ? '' : cell.getChars() || ' ';
      cells.push(isPlain ? text : `${text}<${look}>`);
    }
    return cells.join('').trimEnd();
  }
}
