/** Whether this page may type into a terminal. */
import type { TerminalView } from '../terminal-view.js';

/** Tells the user where it may not, because what was asked for would go nowhere. */
export function mayType(view: TerminalView): boolean {
  if (view.isObserver) view.notify('You only watch this terminal, so nothing was sent.');
  return !view.isObserver;
}
