/** How a tab is, what is known of its command, and what the user can do about it. Draws nothing. */
import type { CommandToStart } from './command-handles.js';
import type { BarAction } from './terminal-screen.js';

/** What a tab tells the page. */
export interface TabEvents {
  /** Its title or its state has changed. */
  onChange(): void;
  onBell(): void;
  onNotice(text: string): void;
  /** The user wants the same command once more. */
  onAgain(command: CommandToStart): void;
  /** The user wants to write, or to watch. */
  onRole(role: 'writer' | 'observer'): void;
}

/** How a tab is; the diagram is in `terminal-tab.ts`. */
export type TabState = 'waiting' | 'live' | 'away' | 'taken' | 'ended' | 'gone';

/** What is known of the command. */
export interface Facts {
  readonly label: string;
  readonly isTty: boolean;
  key: string | undefined;
  /** The instance of the server that runs it. */
  serverId: string | undefined;
  role: 'writer' | 'observer';
}

/** What the user can do, beside a line on the state. @param start what the tab began with, if it has started its command */
export function actionsOf(
  state: TabState,
  { role, isTty }: Facts,
  { start, events }: { readonly start: CommandToStart | undefined; readonly events: TabEvents },
): BarAction[] {
  const take = (label: string): BarAction => ({ label, run: () => events.onRole('writer') });
  if (state === 'live' && role === 'observer' && isTty) return [take('Take over')];
  if (state === 'taken') return [take('Take it back'), { label: 'Watch', run: () => events.onRole('observer') }];
  const isOver = state === 'ended' || state === 'gone';
  return isOver && start !== undefined ? [{ label: 'Start again', run: () => events.onAgain(start) }] : [];
}
