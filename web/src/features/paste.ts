/** Pasting into a terminal: asks before several lines go to a program that would run them, and takes out what could act. Knows no files. */

import { ask } from '../dialogs.js';
import type { TerminalView } from '../terminal-view.js';
import { mayType } from './may-type.js';
import { beginningOf, pasteTextOf } from './paste-text.js';
import { sendPaste } from './send-paste.js';
import type { Shortcuts } from './shortcuts.js';
import type { ToolBar } from './tool-bar.js';

/** What pasting needs of others. */
export interface PasteOptions {
  readonly tools: ToolBar;
  readonly shortcuts: Shortcuts;
  /** Takes files of the clipboard. */
  readonly onFiles: (files: readonly File[]) => void;
}

/** Adds the button, and takes over what the browser pastes. */
export function addPaste(view: TerminalView, { tools, shortcuts, onFiles }: PasteOptions): void {
  const take = (text: string): void => void paste(view, text);
  view.element.addEventListener(
    'paste',
    (event) => {
      // The search field is in the same element.
      if (!isOfTerminal(view, event.target)) return;
      event.preventDefault();
      event.stopPropagation();
      const { clipboardData } = event;
      const text = clipboardData?.getData('text/plain') ?? '';
      // Programs for tables and texts offer a picture beside the text.
      if (text !== '') take(text);
      else onFiles([...(clipboardData?.files ?? [])]);
    },
    // Before xterm, which would send the text as it is.
    { capture: true },
  );
  tools.add({
    label: 'Paste',
    title: 'Paste from the clipboard (Ctrl+Shift+V)',
    run: () => void pasteFromClipboard(view, take, onFiles),
  });
  shortcuts.add({ keys: 'Ctrl+Shift+V', does: 'Pastes' });
  shortcuts.add({ keys: 'Shift+Insert', does: 'Pastes' });
}

function linesText(count: number): string {
  return count === 1 ? 'This is 1 line' : `These are ${count} lines`;
}

function isOfTerminal({ xterm }: TerminalView, target: EventTarget | null): boolean {
  return target instanceof Node && xterm.element?.contains(target) === true;
}

/** Sends a text to the program, as the user's input. */
async function paste(view: TerminalView, given: string): Promise<void> {
  const { text, lineCount, hasLineBreak, leftOut } = pasteTextOf(given);
  if (text === '' || !mayType(view)) return;
  if (hasLineBreak && !view.xterm.modes.bracketedPasteMode) {
    const isWanted = await ask({
      title: 'Paste into the program?',
      text: `${linesText(lineCount)} with Enter at the end: a shell runs each at once, as if you had typed it.`,
      detail: beginningOf(text),
      yes: 'Paste',
      no: 'Cancel',
    });
    if (!isWanted) return;
  }
  sendPaste(view, text);
  view.focus();
  if (leftOut > 0) view.notify(`${leftOut} control characters were left out of what you pasted.`);
}

/** Asks the browser for the clipboard, which asks the user where it must. */
async function pasteFromClipboard(
  view: TerminalView,
  take: (text: string) => void,
  onFiles: (files: readonly File[]) => void,
): Promise<void> {
  // Before the browser asks for what would not be used.
  if (!mayType(view)) return;
  try {
    const items = await navigator.clipboard.read();
    const textItem = items.find(({ types }) => types.includes('text/plain'));
    if (textItem !== undefined) {
      take(await (await textItem.getType('text/plain')).text());
      return;
    }
    const files: File[] = [];
    for (const item of items) {
      const type = item.types.find((name) => name.startsWith('image/'));
      if (type !== undefined) files.push(new File([await item.getType(type)], '', { type }));
    }
    onFiles(files);
  } catch {
    view.notify('The browser did not let this page read the clipboard. Press Ctrl+Shift+V, or use its menu.');
    view.focus();
  }
}
