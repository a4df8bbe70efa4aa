/**
 * What a reload of the page needs: the credential, and the terminals with what was on them. All of it is in `sessionStorage`, which this tab of the browser
 * alone has and which ends with it. Knows no connection.
 */

import type { CommandToStart } from './command-handles.js';

/** A terminal of the page, as it comes back. */
export interface SavedTerminal {
  readonly key: string;
  /** The command, as the tab and the list show it. */
  readonly label: string;
  /** The title that its program gave it; empty for none. */
  readonly title: string;
  readonly isTty: boolean;
  readonly role: 'writer' | 'observer';
  /** The instance of the server that runs it; null where it does not say. */
  readonly serverId: string | null;
  readonly cols: number;
  readonly rows: number;
  /** How much of its output is in the picture. */
  readonly offset: { readonly stdout: number; readonly stderr: number };
  /** The screen and what is above it; absent where it did not fit. */
  readonly picture?: string;
  /** What the tab began with, for one that started its command. */
  readonly start?: CommandToStart;
}

/** The terminals in their order. */
export interface SavedPage {
  readonly terminals: readonly SavedTerminal[];
  /** Key of the one that is shown. */
  readonly shown: string | null;
}

/** Servers below different paths of one address have nothing of each other. */
const PATH = new URL('.', location.href).pathname;
const TOKEN = `execwire.token ${PATH}`;
const PAGE = `execwire.page ${PATH}`;
const SIGN_OUTS = `execwire.sign-outs ${PATH}`;

export function savedToken(): string | undefined {
  return sessionStorage.getItem(TOKEN) ?? undefined;
}

export function saveToken(token: string): void {
  sessionStorage.setItem(TOKEN, token);
}

export function savedPage(): SavedPage {
  try {
    const { terminals, shown } = JSON.parse(sessionStorage.getItem(PAGE) ?? '{}');
    if (Array.isArray(terminals)) return { terminals, shown: shown ?? null };
  } catch {
    // Written by another version: it begins anew.
  }
  return { terminals: [], shown: null };
}

/** Saves the terminals. Where the browser has no room for all pictures the longest are left out, that of the shown terminal last. */
export function savePage({ terminals, shown }: SavedPage): void {
  const kept = [...terminals];
  for (;;) {
    try {
      sessionStorage.setItem(PAGE, JSON.stringify({ terminals: kept, shown }));
      return;
    } catch (error) {
      const costOf = ({ picture = '', key }: SavedTerminal): number =>
        key === shown ? Math.min(picture.length, 1) : picture.length;
      const at = kept.reduce((most, each, index) => (costOf(each) > costOf(kept[most] ?? each) ? index : most), 0);
      const dearest = kept[at];
      if (dearest?.picture === undefined) throw error;
      const { picture: _, ...rest } = dearest;
      kept[at] = rest;
    }
  }
}

/** How often this tab of the browser was signed out: a page from the memory of the back button finds that out by it. */
export function signOuts(): number {
  return Number(sessionStorage.getItem(SIGN_OUTS) ?? 0);
}

/** Forgets the credential and the terminals. */
export function forgetAll(): void {
  sessionStorage.removeItem(TOKEN);
  sessionStorage.removeItem(PAGE);
  sessionStorage.setItem(SIGN_OUTS, String(signOuts() + 1));
}
