/** The text of a terminal in a dialog, where it is selected with keys or fingers, and its links are reached by keyboard. Knows no clipboard. */
import type { Terminal } from '@xterm/xterm';
import { showDialog } from '../dialogs.js';
import { button, element } from '../element.js';
import type { TerminalView } from '../terminal-view.js';
import { openLink } from './links.js';
import type { Shortcuts } from './shortcuts.js';
import type { ToolBar } from './tool-bar.js';

/** Lines that are shown, from the end: a field with more is slow on a phone. */
const MAX_LINES = 2000;
/** Links that are shown, from the end. */
const MAX_LINKS = 20;
const LINK = /https?:\/\/[^\s"'<>`]+[^\s"'<>`.,;:!?)\]}]/g;

/** Adds the button and the shortcut. */
export function addTextView(view: TerminalView, tools: ToolBar, shortcuts: Shortcuts): void {
  const run = (): void => void show(view.xterm);
  tools.add({ label: 'Select text', title: 'Show the text to select from, and its links (Ctrl+Shift+E)', run });
  shortcuts.add({ keys: 'Ctrl+Shift+E', does: 'Shows the text to select from, and its links', run });
}

async function show(xterm: Terminal): Promise<void> {
  const text = textOf(xterm);
  const field = element('textarea', {
    readonly: true,
    'aria-label': 'Text of the terminal',
    rows: 16,
    spellcheck: 'false',
  });
  field.value = text;
  const closed = showDialog({
    title: 'Text of the terminal',
    content: [field, ...linksOf(text)],
    buttons: { close: 'Close' },
  });
  field.focus();
  field.setSelectionRange(text.length, text.length);
  field.scrollTop = field.scrollHeight;
  await closed;
}

function linksOf(text: string): HTMLElement[] {
  const links = [...new Set(text.match(LINK))].slice(-MAX_LINKS);
  if (links.length === 0) return [];
  const items = links.map((uri) => element('li', {}, [button(uri, () => openLink(uri), { class: 'link' })]));
  return [element('h3', {}, ['Links']), element('ul', { class: 'link-list' }, items)];
}

/** Lines that the terminal wrapped are one again. */
function textOf({ buffer: { active } }: Terminal): string {
  const lines: string[] = [];
  for (let row = Math.max(0, active.length - MAX_LINES); row < active.length; row += 1) {
    const line = active.getLine(row);
    if (line === undefined) continue;
    const next = active.getLine(row + 1);
    // The spaces at the end of a line belong to it if it goes on in the next one.
    const text = line.translateToString(next?.isWrapped !== true);
    if (line.isWrapped && lines.length > 0) lines.push(`${lines.pop()}${text}`);
    else lines.push(text);
  }
  return lines.join('\n').trimEnd();
}
