/**
 * A terminal without a window, by @xterm/headless, and its picture as bytes for another terminal. Loads the library when the first terminal is made.
 * Knows no command.
 */
import type { TerminalSize } from '../process/os-process.js';
import { parserPlace, stateBeyondPicture } from './terminal-state.js';
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
  /** Resolves when the bytes are parsed. */
  write(bytes: Buffer): Promise<void>;
  resize(size: TerminalSize): void;
  picture(): TerminalPicture;
  dispose(): void;
}

/** Makes a terminal that keeps some lines above its window. */
export async function makeHeadlessTerminal(size: TerminalSize): Promise<HeadlessTerminal> {
  // CommonJS modules, whose exports esbuild and tsx name; Node alone would put them under `default`.
  const [headless, serialize] = await Promise.all([import('@xterm/headless'), import('@xterm/addon-serialize')]);
  const terminal = new headless.Terminal({
    ...size,
    scrollback: SCROLLBACK_LINES,
    allowProposedApi: true,
    // The library would write to standard error for each wrong sequence of a program.
    logLevel: 'off',
  });
  const serializer = new serialize.SerializeAddon();
  // The add-on's type wants the terminal with a window; it uses nothing that this one lacks.
  terminal.loadAddon(serializer as never);
  const unfinished = new UnfinishedSequence();
  let title: string | undefined;
  terminal.onTitleChange((changed) => {
    title = changed === '' ? undefined : changed;
  });
  return {
    write: (bytes) =>
      new Promise((resolve) => {
        const whole = unfinished.wholeCharacters(bytes);
        terminal.write(whole, () => {
          unfinished.read(whole, parserPlace(terminal));
          resolve();
        });
      }),
    resize: ({ rows, cols }) => terminal.resize(cols, rows),
    picture: () => ({
      bytes: Buffer.concat([
        Buffer.from(`${withPlainAlternate(serializer.serialize())}${stateBeyondPicture(terminal)}`, 'utf8'),
        unfinished.bytes,
      ]),
      isAlternate: terminal.buffer.active.type === 'alternate',
      title,
    }),
    dispose: () => terminal.dispose(),
  };
}

/** The alternate screen is cleared in the colour of the cursor, which a picture sets before it gets there. */
function withPlainAlternate(picture: string): string {
  return picture.replace('\x1b[?1049h', '\x1b[0m\x1b[?1049h');
}
