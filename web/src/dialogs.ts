/**
 * Dialogs of the page: the browser's own `<dialog>`, which keeps the focus inside, ends with Escape, and gives the focus back to where it was. Knows
 * nothing of what is asked.
 */
import { button, element } from './element.js';
import type { Question } from './ui.js';

/** What a dialog shows. */
export interface DialogContent {
  readonly title: string;
  readonly content: readonly (Node | string)[];
  /** Buttons at its end, by the value that the dialog ends with. The first one has the focus. */
  readonly buttons: Readonly<Record<string, string>>;
}

let madeDialogs = 0;

/** Opens a dialog. @returns resolves to the value of the button, and to an empty text after Escape */
export function showDialog({ title, content, buttons }: DialogContent): Promise<string> {
  madeDialogs += 1;
  const titleId = `dialog-title-${madeDialogs}`;
  const ends = Object.entries(buttons).map(([value, label], index) =>
    button(label, () => dialog.close(value), { autofocus: index === 0, value }),
  );
  const dialog = element('dialog', { class: 'dialog', 'aria-labelledby': titleId }, [
    element('h2', { id: titleId }, [title]),
    ...content,
    element('div', { class: 'dialog-buttons' }, ends),
  ]);
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    dialog.showModal();
  });
}

/** Whether a dialog waits for the user. */
export function isDialogOpen(): boolean {
  return document.querySelector('dialog[open]') !== null;
}

/**
 * Asks, with the focus on "no": a dialog can come while the user types, and then Enter or the space bar must do no harm.
 * @returns false also after Escape
 */
export async function ask({ title, text, detail, yes, no }: Question): Promise<boolean> {
  const shown = detail === undefined ? [] : [detailOf(detail)];
  const answer = await showDialog({ title, content: [element('p', {}, [text]), ...shown], buttons: { no, yes } });
  return answer === 'yes';
}

/** What a question is about, word for word. It takes the focus, so that a long text scrolls by keys. */
export function detailOf(text: string): HTMLElement {
  return element('pre', { class: 'dialog-detail', role: 'region', tabindex: 0, 'aria-label': 'Text in question' }, [
    text,
  ]);
}
