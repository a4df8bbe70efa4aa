/**
 * A terminal without a window, by @xterm/headless, and its picture as bytes for another terminal. Loads the library when the first terminal is made.
 * Knows no command.
 */
import type { Terminal } from '@xterm/headless';
import type { TerminalSize } from '../process/os-process.js';

/** Lines above the window that a picture contains, so that a returning user can scroll back. Each takes some 1 KB. */
const SCROLLBACK_LINES = 200;

/** A picture of a terminal. */
export interface TerminalPicture {
  readonly bytes: Buffer;
  readonly isAlternate: boolean;
  readonly title: string | undefined;
}

/** The parts of xterm that are used here and have no public name; each is checked before its use. */
interface InnerTerminal {
  readonly buffer?: { readonly scrollTop?: number; readonly scrollBottom?: number };
  readonly coreService?: { readonly isCursorHidden?: boolean };
  readonly coreMouseService?: { readonly activeEncoding?: string };
}

/** Mouse encodings by the mode that switches them on. */
const MOUSE_ENCODINGS: Readonly<Record<string, number>> = { SGR: 1006, SGR_PIXELS: 1016 };

export interface HeadlessTerminal {
  /** Resolves when the bytes are parsed. */
  write(bytes: Buffer): Promise<void>;
  resize(size: TerminalSize): void;
  picture(): TerminalPicture;
  dispose(): void;
}

/** Makes a terminal that keeps some lines above its window. */
export async function makeHeadlessTerminal(size: TerminalSize): Promise<HeadlessTerminal> {
  const [headless, serialize] = await Promise.all([import('@xterm/headless'), import('@xterm/addon-serialize')]);
  const terminal = new headless.default.Terminal({
    ...size,
    scrollback: SCROLLBACK_LINES,
    allowProposedApi: true,
    // The library would write to standard error for each wrong sequence of a program.
    logLevel: 'off',
  });
  const serializer = new serialize.default.SerializeAddon();
  // The add-on's type wants the terminal with a window; it uses nothing that this one lacks.
  terminal.loadAddon(serializer as never);
  let title: string | undefined;
  terminal.onTitleChange((changed) => {
    title = changed === '' ? undefined : changed;
  });
  return {
    write: (bytes) => new Promise((resolve) => terminal.write(bytes, resolve)),
    resize: ({ rows, cols }) => terminal.resize(cols, rows),
    picture: () => ({
      bytes: Buffer.from(`${serializer.serialize()}${whatSerializingDrops(terminal)}`, 'utf8'),
      isAlternate: terminal.buffer.active.type === 'alternate',
      title,
    }),
    dispose: () => terminal.dispose(),
  };
}

/** Scroll margins, the cursor's place after them, a hidden cursor, and how the mouse reports. */
function whatSerializingDrops(terminal: Terminal): string {
  const inner = (terminal as unknown as { _core?: InnerTerminal })._core;
  const top = inner?.buffer?.scrollTop ?? 0;
  const bottom = inner?.buffer?.scrollBottom ?? terminal.rows - 1;
  const hasMargins = top !== 0 || bottom !== terminal.rows - 1;
  const { cursorX, cursorY } = terminal.buffer.active;
  // With origin mode on, rows count from the upper margin.
  const originRow = terminal.modes.originMode ? top : 0;
  const margins = hasMargins ? `\x1b[${top + 1};${bottom + 1}r\x1b[${cursorY - originRow + 1};${cursorX + 1}H` : '';
  const cursor = inner?.coreService?.isCursorHidden === true ? '\x1b[?25l' : '';
  const encoding = MOUSE_ENCODINGS[inner?.coreMouseService?.activeEncoding ?? ''];
  return `${margins}${cursor}${encoding === undefined ? '' : `\x1b[?${encoding}h`}`;
}
