/** Brings the selection of a terminal to the clipboard. Knows no other way of programs to the clipboard. */

import { element } from '../element.js';
import type { TerminalView } from '../terminal-view.js';
import type { Shortcuts } from './shortcuts.js';
import type { ToolBar } from './tool-bar.js';

/** Adds the button and the shortcuts. The browser's own copying, by its menu or Cmd+C, works without them. */
export function addCopy(view: TerminalView, tools: ToolBar, shortcuts: Shortcuts): void {
  const copy = async (): Promise<void> => {
    const text = view.xterm.getSelection();
    if (text === '')
      view.notify(
        'Nothing is selected. Select text with the mouse, or open "Select text" to select with keys or fingers.',
      );
    else if (await writeClipboard(text)) view.notify('Copied.');
    else view.notify('The browser did not let this page write to the clipboard.');
  };
  const run = (): void => void copy();
  tools.add({ label: 'Copy', title: 'Copy the selection (Ctrl+Shift+C)', run });
  shortcuts.add({ keys: 'Ctrl+Shift+C', does: 'Copies the selection', run });
  shortcuts.add({ keys: 'Ctrl+Insert', does: 'Copies the selection', run });
}

/** @returns whether the browser allowed it */
export async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The older way, which also works in pages from `http:`, which have no `navigator.clipboard`. */
function copyBySelection(text: string): boolean {
  const focused = document.activeElement;
  const field = element('textarea', { class: 'off-screen', 'aria-hidden': 'true', tabindex: -1 });
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand('copy');
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
