/** The terminal that this program runs in: raw while a remote one is shown, and as it was on every way out. Knows no server. */
import { spawnSync } from 'node:child_process';
import { TerminalModes } from './terminal-modes.js';

/** Size of a window in character cells. */
export interface WindowSize {
  readonly cols: number;
  readonly rows: number;
}

/** Empties the screen and puts the cursor at its start, with all attributes off. */
const CLEAR = '\u001b[0m\u001b[H\u001b[2J';

/** The terminal on standard input. */
export class LocalTerminal {
  readonly #modes = new TerminalModes();
  #isRaw = false;
  readonly #onExit = (): void => this.restore();

  /** Whether standard input is a terminal. */
  static get isThere(): boolean {
    return process.stdin.isTTY === true;
  }

  /** Size of the window; undefined where neither standard output nor standard error is a terminal. */
  static size(): WindowSize | undefined {
    const [cols, rows] = [process.stdout, process.stderr].find(({ isTTY }) => isTTY === true)?.getWindowSize() ?? [];
    return cols === undefined || rows === undefined || cols === 0 || rows === 0 ? undefined : { cols, rows };
  }

  /** Switches to raw mode: every key comes here as bytes, ctrl-c included, and none makes a signal. */
  enterRaw(): void {
    this.#isRaw = true;
    this.#setRaw();
    // An uncaught error ends the program by an exit, too.
    process.once('exit', this.#onExit);
  }

  /** Switches to raw mode again, after this program was stopped and the shell has set its own modes. */
  reenterRaw(): void {
    if (!this.#isRaw) return;
    process.stdin.setRawMode(false);
    this.#setRaw();
  }

  /** Node's raw mode still puts a carriage return before each line feed, which moves what full-screen programs draw. */
  #setRaw(): void {
    process.stdin.setRawMode(true);
    spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  }

  /** Gives the terminal back as it was. A second time does nothing. */
  restore(): void {
    if (!this.#isRaw) return;
    this.#isRaw = false;
    process.off('exit', this.#onExit);
    try {
      process.stdin.setRawMode(false);
    } catch {
      // The terminal has gone.
      return;
    }
    const off = this.#modes.offSequence();
    if (off !== '') process.stdout.write(off);
  }

  /** Takes output on its way to the terminal; output that goes to a file changes no terminal. */
  follow(bytes: Uint8Array): void {
    if (process.stdout.isTTY === true) this.#modes.follow(bytes);
  }

  /** What goes in front of a picture of a whole screen. */
  clearSequence(): string {
    return process.stdout.isTTY === true ? `${this.#modes.offSequence()}${CLEAR}` : '';
  }

  /** Calls back with each key. @returns stops that */
  onKeys(listener: (bytes: Buffer) => void): () => void {
    process.stdin.on('data', listener);
    return () => {
      process.stdin.off('data', listener);
      process.stdin.pause();
    };
  }

  /** Calls back when the window got another size. @returns stops that */
  onResize(listener: (size: WindowSize) => void): () => void {
    const changed = (): void => {
      const size = LocalTerminal.size();
      if (size !== undefined) listener(size);
    };
    process.on('SIGWINCH', changed);
    return () => process.off('SIGWINCH', changed);
  }
}
