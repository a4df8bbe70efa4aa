/** Links in a terminal: addresses in its text, and those that a program puts behind other text (OSC 8). Knows no other page. */
import { WebLinksAddon } from '@xterm/addon-web-links';
import { ask } from '../dialogs.js';
import { element } from '../element.js';
import type { TerminalView } from '../terminal-view.js';
import { looksLikeAnother, shownAddress } from './link-address.js';
import { lineOf } from './title-text.js';

/** Of an address below the pointer. */
const SHOWN_CHARACTERS = 300;
/** Schemes that are opened. All others could run something, such as `javascript:`. */
const OPENED = ['http:', 'https:'];

/** Adds them. An address shows while the pointer is on its link. */
export function addLinks(view: TerminalView): void {
  const address = element('div', { class: 'link-address', hidden: true });
  view.element.append(address);
  const hover = (_event: MouseEvent, uri: string): void => {
    address.textContent = lineOf(shownAddress(uri), SHOWN_CHARACTERS);
    address.hidden = false;
  };
  const leave = (): void => {
    address.hidden = true;
  };
  const open = (_event: MouseEvent, uri: string): void => {
    if (looksLikeAnother(uri)) void openWhenWanted(uri, 'It leads elsewhere than it seems to.');
    else openLink(uri);
  };
  view.xterm.loadAddon(new WebLinksAddon(open, { hover, leave }));
  view.xterm.options.linkHandler = {
    // The text of such a link may say something else than where it leads.
    activate: (_event, uri) => void openWhenWanted(uri, 'A program in the terminal put it behind other text.'),
    hover,
    leave,
  };
}

async function openWhenWanted(uri: string, text: string): Promise<void> {
  const title = 'Open this address?';
  if (await ask({ title, text, detail: shownAddress(uri), yes: 'Open', no: 'Do not open' })) openLink(uri);
}

/** Opens an address in a page that knows nothing of this one. */
export function openLink(uri: string): void {
  if (URL.canParse(uri) && OPENED.includes(new URL(uri).protocol)) window.open(uri, '_blank', 'noopener,noreferrer');
}
