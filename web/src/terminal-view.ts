/** What a feature sees of one terminal: a screen on the page, with a command or a recording behind it. Knows no connection. */
import type { Terminal } from '@xterm/xterm';

/** One terminal on the page. */
export interface TerminalView {
  readonly xterm: Terminal;
  /** The panel of its tab: xterm.js is in a child of class `screen`, which grows with what is left of the panel. */
  readonly element: HTMLElement;
  /** The row of buttons at the top of the panel. */
  readonly toolbar: HTMLElement;
  /** Whether this page only watches: nothing that is typed goes anywhere. Changes when the user takes over. */
  readonly isObserver: boolean;
  /** Types into the command. Pieces of any size, one behind the other; nothing happens where the view only watches. */
  send(data: string | Uint8Array): void;
  /** Changes what the user types before it is sent. Pasted text and what is given to `send` stay as they are. */
  filterTyped(filter: (typed: string) => string): void;
  /** The title that the program set; empty for none. */
  showTitle(title: string): void;
  /** The program rang: marks the tab until it is looked at. */
  showBell(): void;
  /** Says something about this terminal to the user, also to screen readers. */
  notify(text: string): void;
  /** Fits the terminal into its panel, after the size of either has changed. */
  refit(): void;
  /** Gives the keyboard to the terminal. */
  focus(): void;
  /** Calls back when the terminal is taken off the page. */
  onDispose(dispose: () => void): void;
}
