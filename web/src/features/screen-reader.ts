/** What screen readers get of a terminal: its name, the way out of it, and its text where the user wants that. Knows not what is in it. */

import { element } from '../element.js';
import type { Settings } from '../settings.js';
import type { TerminalView } from '../terminal-view.js';
import type { ToolBar } from './tool-bar.js';

/** Ids must be unique in the page. */
let described = 0;

/** Adds the button and the description. @param wayOut the shortcut that leads out of the terminal */
export function addScreenReader(
  view: TerminalView,
  settings: Settings,
  options: { tools: ToolBar; wayOut: string },
): void {
  const { tools, wayOut } = options;
  const { xterm } = view;
  const made = tools.add({
    label: 'Screen reader',
    title: 'Tell a screen reader what the terminal shows',
    run: () => settings.set('screenReader', !settings.get('screenReader')),
  });
  const apply = (): void => {
    const isOn = settings.get('screenReader');
    xterm.options.screenReaderMode = isOn;
    made.setAttribute('aria-pressed', String(isOn));
  };
  apply();
  view.onDispose(
    settings.onChange((name) => {
      if (name === 'screenReader') apply();
    }),
  );
  described += 1;
  const id = `terminal-way-out-${described}`;
  view.element.append(
    element('p', { id, hidden: true }, [`Tab goes to the program. ${wayOut} leaves the terminal for its buttons.`]),
  );
  xterm.textarea?.setAttribute('aria-describedby', id);
}
