/** The help: what the keyboard can do. Knows no shortcut by name. */
import { showDialog } from '../dialogs.js';
import { element } from '../element.js';
import type { Shortcut, Shortcuts } from './shortcuts.js';
import type { ToolBar } from './tool-bar.js';

/** Adds the button and the shortcut. */
export function addHelp(tools: ToolBar, shortcuts: Shortcuts): void {
  const run = (): void => void show(shortcuts.all);
  tools.add({ label: 'Help', title: 'Keyboard and mouse (Ctrl+Shift+H)', run });
  shortcuts.add({ keys: 'Ctrl+Shift+H', does: 'Shows this help', run });
}

async function show(all: readonly Shortcut[]): Promise<void> {
  const rows = all.map(({ keys, does }) => element('tr', {}, [keysCell(keys), element('td', {}, [does])]));
  await showDialog({
    title: 'Help',
    content: [
      element('div', { class: 'help', tabindex: 0, role: 'region', 'aria-label': 'Keyboard and mouse' }, [
        element('p', {}, [
          'All other keys go to the program in the terminal. Outside of the terminal, Tab leads to each button and Enter presses it. In the row of tabs, arrows lead to another terminal, and Delete closes it. On a Mac, Cmd+C and Cmd+V copy and paste, too.',
        ]),
        element('table', {}, [
          element('thead', {}, [element('tr', {}, [header('Keys'), header('What they do')])]),
          element('tbody', {}, rows),
        ]),
        element('p', {}, [
          'If a program takes the mouse, hold Shift to select text. Hold Alt and click to bring the cursor of a shell there.',
        ]),
        element('p', {}, [
          'Drop files on the terminal, or paste an image: they are uploaded, and their paths are typed. On a phone, one finger scrolls and two change the size of letters.',
        ]),
      ]),
    ],
    buttons: { close: 'Close' },
  });
}

function header(text: string): HTMLElement {
  return element('th', { scope: 'col' }, [text]);
}

function keysCell(keys: string): HTMLElement {
  return element(
    'th',
    { scope: 'row' },
    keys
      .split('+')
      .flatMap((key, index) => (index === 0 ? [element('kbd', {}, [key])] : ['+', element('kbd', {}, [key])])),
  );
}
