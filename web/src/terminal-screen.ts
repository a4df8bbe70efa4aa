/**
 * One terminal on the page: xterm.js in the panel of its tab, what is typed into it, and its picture for a reload. Shows what it is given, from a command or
 * from a recording. Knows no connection.
 */
import { FitAddon } from '@xterm/addon-fit';
import { SerializeAddon } from '@xterm/addon-serialize';
import { UnicodeGraphemesAddon } from '@xterm/addon-unicode-graphemes';
import { Terminal } from '@xterm/xterm';
import { button, element } from './element.js';
import type { TerminalView } from './terminal-view.js';

/** Lines above the window: a line of 200 columns takes 2.4 kB, so a terminal stays below 12 MB. */
const SCROLLBACK_LINES = 5_000;
/** Of them, those that a reload brings back, and those when that is too much. */
const SAVED_LINES = [2_000, 200, 0];
/** Characters of a saved picture. A browser gives all of them together about five million. */
const MOST_PICTURE_CHARACTERS = 1_000_000;
/** Smallest window that programs can use. */
const LEAST_COLS = 2;

/** What a screen tells its owner. */
export interface ScreenEvents {
  /** Typed, pasted, or answered by the terminal itself. */
  onTyped(data: string | Uint8Array): void;
  onResize(size: { readonly cols: number; readonly rows: number }): void;
  onTitle(title: string): void;
  onBell(): void;
  /** The user should know something about this terminal. */
  onNotice(text: string): void;
}

/** What xterm.js keeps to itself, and the picture of its serializer lacks. */
interface Inner {
  readonly _core?: {
    readonly buffer?: { readonly scrollTop?: number; readonly scrollBottom?: number };
    readonly coreService?: {
      readonly isCursorHidden?: boolean;
      readonly decPrivateModes?: { readonly cursorStyle?: string; readonly cursorBlink?: boolean };
    };
    readonly coreMouseService?: { readonly activeEncoding?: string };
  };
}

/** In the order of DECSCUSR, which has two numbers for each: blinking, and not. */
const CURSOR_STYLES = ['block', 'underline', 'bar'];
/** How programs ask for the ways to tell the place of a mouse, other than the first one. */
const MOUSE_ENCODINGS: Readonly<Record<string, string>> = { SGR: '\x1b[?1006h', SGR_PIXELS: '\x1b[?1016h' };

/** A button below the state of a terminal. */
export interface BarAction {
  readonly label: string;
  readonly run: () => void;
}

/** One screen. */
export class TerminalScreen implements TerminalView {
  readonly xterm: Terminal;
  readonly element: HTMLElement;
  readonly toolbar = element('div', { class: 'tool-bar', role: 'group', 'aria-label': 'Terminal tools' });
  isObserver = false;
  readonly #events: ScreenEvents;
  readonly #bar = element('div', { class: 'bar', role: 'status' });
  readonly #screen = element('div', { class: 'screen' });
  readonly #fit = new FitAddon();
  readonly #serialize = new SerializeAddon();
  readonly #disposals: (() => void)[] = [];
  readonly #written = new Set<(data: string | Uint8Array) => void>();
  readonly #filters: ((typed: string) => string)[] = [];
  /** That of now; undefined when it has to be drawn anew. It takes a tenth of a second. */
  #picture: string | undefined;
  #fits = true;
  #isOpen = false;

  /** @param id of the panel @param convertEol whether a line feed also returns: output of a command without a terminal */
  constructor(id: string, events: ScreenEvents, convertEol = false) {
    this.#events = events;
    this.xterm = new Terminal({
      allowProposedApi: true,
      convertEol,
      scrollback: SCROLLBACK_LINES,
      // Wrong sequences of a program are no errors of the page.
      logLevel: 'off',
    });
    const { xterm } = this;
    xterm.loadAddon(this.#fit);
    xterm.loadAddon(this.#serialize);
    xterm.loadAddon(new UnicodeGraphemesAddon());
    this.element = element('section', { class: 'panel', role: 'tabpanel', id, hidden: true }, [
      this.toolbar,
      this.#bar,
      this.#screen,
    ]);
    xterm.onData((data) => this.send(this.#filters.reduce((typed, filter) => filter(typed), data)));
    xterm.onBinary((data) => this.send(Uint8Array.from(data, (character) => character.charCodeAt(0))));
    xterm.onResize((size) => events.onResize(size));
    const forget = (): void => {
      this.#picture = undefined;
    };
    xterm.onResize(forget);
    xterm.onWriteParsed(forget);
    this.say('');
  }

  /**
   * Draws it, once its panel is on the page and shown. It takes the size of its panel only when everything is in the panel: a window that is smaller for a
   * moment loses its last lines, and the program, whose size is the same in the end, draws nothing anew.
   * @param addRest adds what else is in the panel
   */
  open(addRest: () => void): void {
    if (this.#isOpen) return;
    this.xterm.open(this.#screen);
    addRest();
    this.#isOpen = true;
    const observer = new ResizeObserver(() => this.refit());
    observer.observe(this.#screen);
    this.onDispose(() => observer.disconnect());
  }

  send(data: string | Uint8Array): void {
    if (!this.isObserver) this.#events.onTyped(data);
  }

  filterTyped(filter: (typed: string) => string): void {
    this.#filters.push(filter);
  }

  showTitle(title: string): void {
    this.#events.onTitle(title);
  }

  showBell(): void {
    this.#events.onBell();
  }

  notify(text: string): void {
    this.#events.onNotice(text);
  }

  refit(): void {
    if (!this.#isOpen || !this.#fits || this.element.hidden) return;
    const { cols, rows } = this.#fit.proposeDimensions() ?? {};
    if (cols === undefined || rows === undefined || Number.isNaN(cols) || Number.isNaN(rows)) return;
    this.xterm.resize(Math.max(LEAST_COLS, cols), Math.max(1, rows));
  }

  focus(): void {
    this.xterm.focus();
  }

  onDispose(dispose: () => void): void {
    this.#disposals.push(dispose);
  }

  /** The size is the one of whoever writes, and not that of the panel. @param size undefined: that of the panel again */
  fixSize(size: { readonly cols: number; readonly rows: number } | undefined): void {
    this.#fits = size === undefined;
    this.#screen.classList.toggle('fixed', !this.#fits);
    if (size === undefined) this.refit();
    else this.xterm.resize(size.cols, size.rows);
  }

  /** Shows output. Resolves when it is on the screen, so that whoever waits for that never has more than one piece here. */
  async write(data: string | Uint8Array): Promise<void> {
    for (const listener of this.#written) listener(data);
    await new Promise<void>((resolve) => this.xterm.write(data, resolve));
  }

  /** Calls back with everything that is shown from now on. @returns takes the listener away */
  onWritten(listener: (data: string | Uint8Array) => void): () => void {
    this.#written.add(listener);
    return () => this.#written.delete(listener);
  }

  /** What is on the screen and above it, as text that shows the same on an empty terminal of this size. Undefined where it is too long. */
  picture(): string | undefined {
    this.#picture ??= this.#drawnPicture();
    return this.#picture;
  }

  #drawnPicture(): string | undefined {
    for (const scrollback of SAVED_LINES) {
      const picture = this.#serialize.serialize({ scrollback });
      if (picture.length <= MOST_PICTURE_CHARACTERS) return picture + this.#rest();
    }
    return undefined;
  }

  /** Shows the picture of a screen of some size. */
  async restore(picture: string, size: { readonly cols: number; readonly rows: number }): Promise<void> {
    this.xterm.resize(size.cols, size.rows);
    await this.write(picture);
  }

  /**
   * Empties the window before another picture is shown on it. What was on it stays readable above.
   * @param why there is another picture, as a line above it
   */
  async beginAnew(why: string): Promise<void> {
    // What is still to be parsed belongs on the old screen.
    await new Promise<void>((resolve) => this.xterm.write('', resolve));
    const above = this.#serialize.serialize({
      scrollback: SCROLLBACK_LINES,
      excludeModes: true,
      excludeAltBuffer: true,
    });
    const { rows } = this.xterm;
    this.xterm.reset();
    const line = why === '' ? '' : `\r\n\x1b[0;2m[${why}]\x1b[0m`;
    // The rows of the window move up, one for each line feed at its end.
    await this.write(`${above}\x1b[0m\x1b[${rows};1H${line}${'\r\n'.repeat(rows)}\x1b[H`);
  }

  /** A line on the state of the terminal, with what can be done about it. @param text empty: takes it away */
  say(text: string, actions: readonly BarAction[] = []): void {
    this.#bar.classList.toggle('empty', text === '');
    this.#bar.replaceChildren(text, ...actions.map(({ label, run }) => button(label, run)));
    this.refit();
  }

  dispose(): void {
    for (const dispose of this.#disposals.reverse()) dispose();
    this.xterm.dispose();
    this.element.remove();
  }

  /** What the serializer leaves out: scroll margins and the origin at them, how a mouse is told, and how the cursor looks. */
  #rest(): string {
    const { buffer, coreService, coreMouseService } = (this.xterm as unknown as Inner)._core ?? {};
    const { rows, modes } = this.xterm;
    const { scrollTop = 0, scrollBottom = rows - 1 } = buffer ?? {};
    const { cursorX, cursorY } = this.xterm.buffer.active;
    const { cursorStyle, cursorBlink = true } = coreService?.decPrivateModes ?? {};
    const style = CURSOR_STYLES.indexOf(cursorStyle ?? '');
    let rest = MOUSE_ENCODINGS[coreMouseService?.activeEncoding ?? ''] ?? '';
    if (style >= 0) rest += `\x1b[${2 * style + (cursorBlink ? 1 : 2)} q`;
    if (coreService?.isCursorHidden === true) rest += '\x1b[?25l';
    const hasMargins = scrollTop !== 0 || scrollBottom !== rows - 1;
    if (hasMargins) rest += `\x1b[${scrollTop + 1};${scrollBottom + 1}r`;
    // Both move the cursor.
    if (hasMargins || modes.originMode) {
      rest += `\x1b[${cursorY + 1 - (modes.originMode ? scrollTop : 0)};${cursorX + 1}H`;
    }
    return rest;
  }
}
