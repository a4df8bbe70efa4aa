/**
 * What a reload of the page needs: the credential, and the terminals with what was on them. All of it is in `sessionStorage`, which this tab of the browser
 * alone has and which ends with it. Knows no connection.
 */

/** A terminal of the page, as it comes back. */
export interface SavedTerminal {
  readonly key: string;
  /** The command, as the tab and the list show it. */
  readonly label: string;
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
}

/** The terminals in their order. */
export interface SavedPage {
  readonly terminals: readonly SavedTerminal[];
  /** Key of the one that is shown. */
  readonly shown: string | null;
}

const TOKEN = 'execwire.token';
const PAGE = 'execwire.page';

export function savedToken(): string | undefined {
  return sessionStorage.getItem(TOKEN) ?? undefined;
}

/** @param token undefined: forgets it */
export function saveToken(token: string | undefined): void {
  if (token === undefined) sessionStorage.removeItem(TOKEN);
  else sessionStorage.setItem(TOKEN, token);
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

/** Saves the terminals, without the pictures where the browser has no room for them. */
export function savePage(page: SavedPage): void {
  try {
    sessionStorage.setItem(PAGE, JSON.stringify(page));
  } catch {
    const terminals = page.terminals.map(({ picture: _, ...rest }) => rest);
    sessionStorage.setItem(PAGE, JSON.stringify({ ...page, terminals }));
  }
}
