/** Records what a terminal shows from now on, and gives it as a file. What is typed is not recorded, because passwords are typed. */
import { castHeader, castLine } from './asciicast.js';
import type { TerminalScreen } from './terminal-screen.js';

/** Characters of a recording; it ends there, so that a forgotten one does not fill the memory. */
const MOST_CHARACTERS = 32 * 1024 * 1024;

/** One recording. */
export class Recorder {
  readonly #lines: string[] = [];
  readonly #startedAt = performance.now();
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #stops: (() => void)[];
  #characters = 0;

  /** @param onFull it has ended because it is too long */
  constructor(screen: TerminalScreen, title: string, onFull: () => void) {
    const { xterm } = screen;
    const add = (line: string): void => {
      if (this.#characters > MOST_CHARACTERS) return;
      this.#characters += line.length;
      this.#lines.push(line);
      if (this.#characters > MOST_CHARACTERS) onFull();
    };
    const at = (): number => (performance.now() - this.#startedAt) / 1000;
    add(castHeader({ cols: xterm.cols, rows: xterm.rows, title }, Date.now()));
    add(castLine({ at: 0, kind: 'o', data: screen.picture() ?? '' }));
    const resized = xterm.onResize(({ cols, rows }) => add(castLine({ at: at(), kind: 'r', data: `${cols}x${rows}` })));
    this.#stops = [
      () => resized.dispose(),
      screen.onWritten((data) => {
        const text = typeof data === 'string' ? data : this.#decoder.decode(data, { stream: true });
        if (text !== '') add(castLine({ at: at(), kind: 'o', data: text }));
      }),
    ];
  }

  /** Ends it. @returns the file */
  stop(): Blob {
    for (const stop of this.#stops) stop();
    return new Blob(this.#lines, { type: 'application/x-asciicast' });
  }
}

/** Gives a file to the user. */
export function download(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // Later, because some browsers begin to read it only now.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
