/** Sends a text as a paste. Knows not where it comes from. */
import type { TerminalView } from '../terminal-view.js';

/** As xterm does it, but beside what is typed, so that a modifier that the key bar holds changes nothing in it. */
export function sendPaste(view: TerminalView, text: string): void {
  const typed = text.replaceAll(/\r?\n/g, '\r');
  view.send(view.xterm.modes.bracketedPasteMode ? `\x1b[200~${typed}\x1b[201~` : typed);
  view.xterm.scrollToBottom();
}
