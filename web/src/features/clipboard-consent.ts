/**
 * Lets a program of a terminal write to the clipboard and read it (OSC 52), if the user agrees. Reading the screen goes on while the question is open. Knows
 * no other way to the clipboard.
 */
import { ClipboardAddon, type ClipboardSelectionType, type IClipboardProvider } from '@xterm/addon-clipboard';
import { detailOf, isDialogOpen, showDialog } from '../dialogs.js';
import { element } from '../element.js';
import type { TerminalView } from '../terminal-view.js';
import { writeClipboard } from './copy.js';
import { beginningOf } from './paste-text.js';

/** The selection that is the clipboard; X11 has others, which browsers do not know. */
const CLIPBOARD = 'c';
/** More is not put on a clipboard by mistake. */
const MAX_CHARACTERS = 1024 * 1024;
const OSC_CLIPBOARD = 52;
/** Milliseconds after a second refusal within so long, in which all further questions of the terminal are refused. */
const QUIET_MS = 30_000;

/** What the user said for this terminal, until the page ends. */
type Consent = 'ask' | 'always' | 'never';

/** Adds it. Both ways have a consent of their own, because what is on the clipboard may be a secret. */
export function addClipboardConsent(view: TerminalView): void {
  const consents: Record<'write' | 'read', Consent> = { write: 'ask', read: 'ask' };
  let refusedAtMs = Number.NEGATIVE_INFINITY;
  let quietUntilMs = 0;
  const mayGo = async (way: 'write' | 'read', text: string, detail?: string): Promise<boolean> => {
    if (consents[way] !== 'ask') return consents[way] === 'always';
    if (performance.now() < quietUntilMs) return false;
    // A terminal that nobody looks at must not ask, and one question at a time is enough.
    if (document.hidden || view.element.offsetParent === null || isDialogOpen()) return false;
    const remembers = element('input', { type: 'checkbox' });
    const answer = await showDialog({
      title: way === 'write' ? 'Let the program write to your clipboard?' : 'Let the program read your clipboard?',
      content: [
        element('p', {}, [text]),
        ...(detail === undefined ? [] : [detailOf(detail)]),
        element('label', {}, [remembers, 'Do not ask again in this terminal']),
      ],
      buttons: { refuse: 'Refuse', allow: 'Allow' },
    });
    const isAllowed = answer === 'allow';
    if (!isAllowed) {
      // A program that asks again and again would take the keyboard away each time.
      if (performance.now() - refusedAtMs < QUIET_MS) quietUntilMs = performance.now() + QUIET_MS;
      refusedAtMs = performance.now();
    }
    if (remembers.checked && answer !== '') consents[way] = isAllowed ? 'always' : 'never';
    return isAllowed;
  };

  const write = async (text: string): Promise<void> => {
    // A recording, or a terminal of somebody else.
    if (view.isObserver) return;
    if (!(await mayGo('write', 'A program in this terminal wants to put this text there:', beginningOf(text)))) return;
    if (await writeClipboard(text)) view.notify('A program wrote to your clipboard.');
    else view.notify('The browser did not let this page write to the clipboard.');
  };
  const read = async (): Promise<void> => {
    if (view.isObserver) return;
    if (!(await mayGo('read', 'A program in this terminal wants to have what you copied last, whatever it is.')))
      return;
    try {
      view.send(answerOf(await navigator.clipboard.readText()));
    } catch {
      view.notify('The browser did not let this page read the clipboard.');
    }
  };

  const provider: IClipboardProvider = {
    // Answers of this kind would hold up the output until the user has decided, so reading is done below.
    readText: () => '',
    writeText(selection: ClipboardSelectionType, text: string) {
      const isClipboard = selection === (CLIPBOARD as ClipboardSelectionType) || (selection as string) === '';
      if (isClipboard && text !== '' && text.length <= MAX_CHARACTERS) void write(text);
    },
  };
  view.xterm.loadAddon(new ClipboardAddon(undefined, provider));
  // A later handler is asked first.
  view.xterm.parser.registerOscHandler(OSC_CLIPBOARD, (data) => {
    if (!data.endsWith(';?')) return false;
    if (data.startsWith(CLIPBOARD) || data === ';?') void read();
    return true;
  });
}

/** What a program gets that asked for the clipboard. */
function answerOf(text: string): string {
  const bytes = new TextEncoder().encode(text);
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return `\x1b]${OSC_CLIPBOARD};${CLIPBOARD};${btoa(binary)}\x07`;
}
