/** Links in a terminal: addresses in its text, and those that a program puts behind other text (OSC 8). Knows no other page. */
import { WebLinksAddon } from '@xterm/addon-web-links';
import { ask } from '../dialogs.js';
import { element } from '../element.js';
import type { TerminalView } from '../terminal-view.js';

/** Schemes that are opened. All others could run something, such as `javascript:`. */
const OPENED = ['http:', 'https:'];

/** Adds them. An address shows while the pointer is on its link. */
export function addLinks(view: TerminalView): void {
  const address = element('div', { class: 'link-address', hidden: true });
  view.element.append(address);
  const hover = (_event: MouseEvent, uri: string): void => {
    address.textContent = uri;
    address.hidden = false;
  };
  const leave = (): void => {
    address.hidden = true;
  };
  view.xterm.loadAddon(new WebLinksAddon((_event, uri) => openLink(uri), { hover, leave }));
  view.xterm.options.linkHandler = {
    // The text of such a link may say something else than where it leads.
    activate: (_event, uri) => void openWhenWanted(uri),
    hover,
    leave,
  };
}

async function openWhenWanted(uri: string): Promise<void> {
  const title = 'Open this address?';
  const text = 'A program in the terminal put it behind other text.';
  if (await ask({ title, text, detail: uri, yes: 'Open', no: 'Do not open' })) openLink(uri);
}

/** Opens an address in a page that knows nothing of this one. */
export function openLink(uri: string): void {
  if (URL.canParse(uri) && OPENED.includes(new URL(uri).protocol)) window.open(uri, '_blank', 'noopener,noreferrer');
}
