/** Shortcuts of a part of the page: what they are, and acting on them before the terminal sees the key. Knows not what they do. */
import { isShortcut } from './shortcut-keys.js';

/** One shortcut. */
export interface Shortcut {
  /** Such as `Ctrl+Shift+F`. */
  readonly keys: string;
  /** What it does, for the help. */
  readonly does: string;
  /** Undefined where the browser does it, and the help only tells of it. */
  readonly run?: () => void;
}

/** The shortcuts of one element and what is in it. */
export class Shortcuts {
  readonly #all: Shortcut[] = [];

  constructor(target: HTMLElement) {
    // In the capture phase, because xterm takes every key that comes to its own element.
    target.addEventListener('keydown', (event) => this.#act(event), { capture: true });
  }

  add(shortcut: Shortcut): void {
    this.#all.push(shortcut);
  }

  get all(): readonly Shortcut[] {
    return this.#all;
  }

  #act(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const shortcut = this.#all.find(({ keys, run }) => run !== undefined && isShortcut(event, keys));
    if (shortcut?.run === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    shortcut.run();
  }
}
