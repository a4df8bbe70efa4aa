/** Searching in a terminal and what has scrolled out of it. Knows no other terminal. */
import { type ISearchOptions, SearchAddon } from '@xterm/addon-search';
import { button, element } from '../element.js';
import type { Settings } from '../settings.js';
import type { TerminalView } from '../terminal-view.js';
import { shownTheme } from './appearance.js';
import type { Shortcuts } from './shortcuts.js';
import type { ToolBar } from './tool-bar.js';

/** What the search bar needs of others. */
export interface SearchOptions {
  readonly tools: ToolBar;
  readonly shortcuts: Shortcuts;
  readonly settings: Settings;
}

/** Adds the button, the shortcut and the bar, which is hidden until then. */
export function addSearch(view: TerminalView, { tools, shortcuts, settings }: SearchOptions): void {
  const addon = new SearchAddon();
  view.xterm.loadAddon(addon);

  const field = element('input', {
    type: 'search',
    'aria-label': 'Search',
    spellcheck: 'false',
    autocapitalize: 'off',
  });
  const matchCase = toggle('Aa', 'Match upper and lower case', () => find('again'));
  const regex = toggle('.*', 'Regular expression', () => find('again'));
  const count = element('output', { class: 'search-count', 'aria-live': 'polite' });
  const bar = element('div', { class: 'search-bar', role: 'search', hidden: true }, [
    field,
    matchCase,
    regex,
    count,
    button('↑', () => find('previous'), { title: 'Previous (Shift+Enter)', 'aria-label': 'Previous' }),
    button('↓', () => find('next'), { title: 'Next (Enter)', 'aria-label': 'Next' }),
    button('✕', () => close(), { title: 'Close (Escape)', 'aria-label': 'Close the search' }),
  ]);
  tools.element.after(bar);

  const optionsNow = (): ISearchOptions => ({
    caseSensitive: isOn(matchCase),
    regex: isOn(regex),
    decorations: decorationsOf(settings),
  });
  const find = (what: 'next' | 'previous' | 'again'): void => {
    if (field.value === '') {
      addon.clearDecorations();
      count.textContent = '';
      return;
    }
    if (isOn(regex) && !isRegex(field.value)) {
      count.textContent = 'No regular expression';
      return;
    }
    if (what === 'previous') addon.findPrevious(field.value, optionsNow());
    else addon.findNext(field.value, { ...optionsNow(), incremental: what === 'again' });
  };
  addon.onDidChangeResults(({ resultIndex, resultCount }) => {
    if (field.value === '') return;
    if (resultCount === 0) count.textContent = 'No match';
    // Beyond its limit the addon does not say which one of them it is.
    else count.textContent = resultIndex < 0 ? `${resultCount} or more` : `${resultIndex + 1} of ${resultCount}`;
  });

  const open = (): void => {
    bar.hidden = false;
    view.refit();
    const { xterm } = view;
    const selected = xterm.getSelection();
    if (selected !== '' && !selected.includes('\n')) field.value = selected;
    field.focus();
    field.select();
    find('again');
  };
  const close = (): void => {
    bar.hidden = true;
    addon.clearDecorations();
    view.refit();
    view.focus();
  };
  field.addEventListener('input', () => find('again'));
  bar.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close();
    else if (event.key === 'Enter' && event.target === field) find(event.shiftKey ? 'previous' : 'next');
    else return;
    event.preventDefault();
  });
  tools.add({ label: 'Search', title: 'Search (Ctrl+Shift+F)', run: open });
  shortcuts.add({ keys: 'Ctrl+Shift+F', does: 'Searches; then Enter and Shift+Enter, and Escape to close', run: open });
}

/** A button that is on or off. */
function toggle(label: string, title: string, changed: () => void): HTMLButtonElement {
  const made = button(
    label,
    () => {
      made.setAttribute('aria-pressed', String(!isOn(made)));
      changed();
    },
    { title, 'aria-label': title, 'aria-pressed': 'false' },
  );
  return made;
}

function isOn(made: HTMLButtonElement): boolean {
  return made.getAttribute('aria-pressed') === 'true';
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

function decorationsOf(settings: Settings): NonNullable<ISearchOptions['decorations']> {
  const { page, search } = shownTheme(settings);
  return {
    matchBackground: search.match,
    matchOverviewRuler: page.edge,
    activeMatchBackground: search.active,
    activeMatchBorder: page.focus,
    activeMatchColorOverviewRuler: page.focus,
  };
}
