/** The row of buttons above a terminal. Knows not what they do. */
import { button } from '../element.js';

/** One button. */
export interface Tool {
  readonly label: string;
  /** For screen readers, where the label is short; begins with it. */
  readonly name?: string;
  /** What it does, and its shortcut. */
  readonly title: string;
  readonly run: () => void;
}

/** The buttons of one terminal. */
export class ToolBar {
  readonly element: HTMLElement;

  constructor(element: HTMLElement) {
    this.element = element;
  }

  add({ label, name, title, run }: Tool): HTMLButtonElement {
    const made = button(label, run, { class: 'tool', title, 'aria-label': name });
    this.element.append(made);
    return made;
  }

  /** Moves the focus to its first button. */
  focus(): void {
    this.element.querySelector('button')?.focus();
  }
}
