/**
 * Keeps the row of a saved cursor (DECSC) at its place in the window while old rows scroll out, as terminals do. The library would move it with the text as
 * long as it has room for old rows, so that the place would depend on how many a terminal keeps.
 */
import type { Terminal } from '@xterm/headless';
import { innerOf } from './terminal-inner.js';

const SAVING_MODES: ReadonlySet<unknown> = new Set([1048, 1049]);

export class SavedRow {
  readonly #terminal: Terminal;
  /** Rows in the window, of either screen. */
  readonly #rows = { normal: 0, alternate: 0 };

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    const { parser } = terminal;
    const hasMode = (params: readonly unknown[]): boolean => params.some((mode) => SAVING_MODES.has(mode));
    parser.registerEscHandler({ final: '7' }, () => this.#save());
    parser.registerCsiHandler({ final: 's' }, () => this.#save());
    parser.registerCsiHandler({ prefix: '?', final: 'h' }, (params) => hasMode(params) && this.#save());
    parser.registerEscHandler({ final: '8' }, () => this.apply());
    parser.registerCsiHandler({ final: 'u' }, () => this.apply());
    parser.registerCsiHandler({ prefix: '?', final: 'l' }, (params) => hasMode(params) && this.apply());
    parser.registerCsiHandler({ intermediates: '!', final: 'p' }, () => this.#save(0));
    parser.registerEscHandler({ final: 'c' }, () => {
      this.#rows.alternate = 0;
      return this.#save(0);
    });
  }

  /** Gives the library the rows. @returns false, which lets the library do its own work */
  apply(): false {
    const { normal, alt } = innerOf(this.#terminal).buffers ?? {};
    if (normal !== undefined) normal.savedY = (normal.ybase ?? 0) + this.#rows.normal;
    if (alt !== undefined) alt.savedY = (alt.ybase ?? 0) + this.#rows.alternate;
    return false;
  }

  /** Lets the library move rows with the text, for a window that changes its size. */
  moveWhile(change: () => void): void {
    this.apply();
    change();
    const { normal, alt } = innerOf(this.#terminal).buffers ?? {};
    this.#rows.normal = Math.max(0, (normal?.savedY ?? 0) - (normal?.ybase ?? 0));
    this.#rows.alternate = Math.max(0, (alt?.savedY ?? 0) - (alt?.ybase ?? 0));
  }

  #save(row = this.#terminal.buffer.active.cursorY): false {
    this.#rows[this.#terminal.buffer.active.type] = row;
    return false;
  }
}
