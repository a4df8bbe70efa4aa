/** Keys that a phone's keyboard does not have. Knows not what a terminal sends for them. */
import { button, element } from '../element.js';
import type { Settings } from '../settings.js';
import type { TerminalView } from '../terminal-view.js';
import { type KeyName, keySequence, withModifiers } from './key-codes.js';

/** Keys with a name for screen readers; most of them are said badly as signs. */
const KEYS: readonly { readonly key: KeyName; readonly label: string; readonly name: string }[] = [
  { key: 'Escape', label: 'Esc', name: 'Esc' },
  { key: 'Tab', label: 'Tab', name: 'Tab' },
  { key: 'ArrowLeft', label: '←', name: 'Left' },
  { key: 'ArrowUp', label: '↑', name: 'Up' },
  { key: 'ArrowDown', label: '↓', name: 'Down' },
  { key: 'ArrowRight', label: '→', name: 'Right' },
  { key: 'Home', label: 'Home', name: 'Home' },
  { key: 'End', label: 'End', name: 'End' },
  { key: 'PageUp', label: 'PgUp', name: 'PgUp' },
  { key: 'PageDown', label: 'PgDn', name: 'PgDn' },
];
/** Signs that a shell needs and a phone's keyboard hides. */
const SIGNS = ['|', '/', '-', '~'];

const hasFinger = matchMedia('(pointer: coarse)');

/** A modifier is off, holds for one key, or stays: each press goes on to the next. */
type Hold = 'off' | 'once' | 'locked';
const NEXT_HOLD: Readonly<Record<Hold, Hold>> = { off: 'once', once: 'locked', locked: 'off' };

/** Adds the bar, which the settings show or hide. */
export function addKeyBar(view: TerminalView, settings: Settings): void {
  const ctrl = new HeldKey('Ctrl');
  const alt = new HeldKey('Alt');
  const modifiers = (): { ctrl: boolean; alt: boolean } => ({ ctrl: ctrl.isHeld, alt: alt.isHeld });
  const release = (): void => {
    ctrl.release();
    alt.release();
  };
  const { xterm } = view;
  const keys = KEYS.map(({ key, label, name }) =>
    button(
      label,
      () => {
        const applicationCursor = xterm.modes.applicationCursorKeysMode;
        view.send(keySequence(key, { ...modifiers(), applicationCursor }));
        xterm.scrollToBottom();
        release();
      },
      { 'aria-label': name },
    ),
  );
  // As typed by the user, so that a held modifier counts.
  const signs = SIGNS.map((sign) => button(sign, () => xterm.input(sign)));
  const bar = element('div', { class: 'key-bar', role: 'toolbar', 'aria-label': 'Keys' }, [
    ctrl.element,
    alt.element,
    ...keys,
    ...signs,
  ]);
  // The focus stays in the terminal, so that the phone's keyboard stays open.
  bar.addEventListener('pointerdown', (event) => event.preventDefault());
  bar.addEventListener('mousedown', (event) => event.preventDefault());
  view.element.append(bar);
  view.filterTyped((typed) => {
    // Reports of the terminal itself begin with a control character, and so do keys that need no modifier.
    if (!/^[^\p{Cc}]/u.test(typed)) return typed;
    const text = withModifiers(typed, modifiers());
    release();
    return text;
  });

  const showOrHide = (): void => {
    const wanted = settings.get('keyBar');
    bar.hidden = !(wanted === 'on' || (wanted === 'auto' && hasFinger.matches));
    view.refit();
  };
  showOrHide();
  hasFinger.addEventListener('change', showOrHide);
  const stop = settings.onChange((name) => {
    if (name === 'keyBar') showOrHide();
  });
  view.onDispose(() => {
    hasFinger.removeEventListener('change', showOrHide);
    stop();
  });
}

/** The button of a modifier. */
class HeldKey {
  readonly element: HTMLButtonElement;
  readonly #label: string;
  #hold: Hold = 'off';

  constructor(label: string) {
    this.#label = label;
    this.element = button(label, () => this.#set(NEXT_HOLD[this.#hold]), {
      title: `${label} for the next key; press twice to hold it`,
    });
    this.#set('off');
  }

  get isHeld(): boolean {
    return this.#hold !== 'off';
  }

  /** A key was typed with it. */
  release(): void {
    if (this.#hold === 'once') this.#set('off');
  }

  #set(hold: Hold): void {
    this.#hold = hold;
    this.element.setAttribute('aria-pressed', String(hold !== 'off'));
    this.element.classList.toggle('locked', hold === 'locked');
    this.element.setAttribute('aria-label', hold === 'locked' ? `${this.#label}, held` : this.#label);
  }
}
