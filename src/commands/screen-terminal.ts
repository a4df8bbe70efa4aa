/**
 * A terminal without a window, by @xterm/headless, and its picture as bytes for another terminal. Loads the library when the first terminal is made.
 * Knows no command.
 */
import type { TerminalSize } from '../process/os-process.js';
import { boundTerminal, requireBoundedSize } from './terminal-bounds.js';
import { parse, parserPlace } from './terminal-inner.js';
import { pictureOf } from './terminal-picture.js';
import { SavedRow } from './terminal-saved-row.js';
import { UnfinishedSequence } from './unfinished-sequence.js';

/** Lines above the window that a picture contains, so that a returning user can scroll back. Each takes some 1 KB. */
const SCROLLBACK_LINES = 200;

/** A picture of a terminal. */
export interface TerminalPicture {
  readonly bytes: Buffer;
  readonly isAlternate: boolean;
  readonly title: string | undefined;
}

export interface HeadlessTerminal {
  /** Resolves when the bytes are parsed. @throws {Error} when the library fails */
  write(bytes: Buffer): Promise<void>;
  /** @throws {CommandError} noRoom */
  resize(size: TerminalSize): void;
  picture(): TerminalPicture;
  dispose(): void;
}

/** Makes a terminal that keeps some lines above its window. @throws {CommandError} noRoom for a window that is too large */
export async function makeHeadlessTerminal(size: TerminalSize): Promise<HeadlessTerminal> {
  requireBoundedSize(size, SCROLLBACK_LINES);
  // A CommonJS module, whose exports esbuild and tsx name; Node alone would put them under `default`.
  const headless = await import('@xterm/headless');
  const terminal = new headless.Terminal({
    ...size,
    scrollback: SCROLLBACK_LINES,
    allowProposedApi: true,
    // The library would write to standard error for each wrong sequence of a program.
    logLevel: 'off',
  });
  boundTerminal(terminal);
  const savedRow = new SavedRow(terminal);
  const unfinished = new UnfinishedSequence();
  let title: string | undefined;
  terminal.onTitleChange((changed) => {
    title = changed === '' ? undefined : changed;
  });
  return {
    write: async (bytes) => {
      const whole = unfinished.wholeCharacters(bytes);
      await parse(terminal, whole);
      unfinished.read(whole, parserPlace(terminal));
    },
    resize: (changed) => {
      requireBoundedSize(changed, SCROLLBACK_LINES);
      savedRow.moveWhile(() => terminal.resize(changed.cols, changed.rows));
    },
    picture: () => {
      savedRow.apply();
      return {
        bytes: Buffer.concat([Buffer.from(pictureOf(terminal), 'utf8'), unfinished.bytes]),
        isAlternate: terminal.buffer.active.type === 'alternate',
        title,
      };
    },
    dispose: () => terminal.dispose(),
  };
}
