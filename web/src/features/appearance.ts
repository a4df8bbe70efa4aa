/** How the page and its terminals look: colours, size of letters and motion, by the settings and by what the system asks for. Knows no dialog. */
import type { Settings } from '../settings.js';
import { MAX_FONT_SIZE, MIN_FONT_SIZE } from '../settings.js';
import type { TerminalView } from '../terminal-view.js';
import type { Shortcuts } from './shortcuts.js';
import { THEMES, type Theme, themeOf } from './themes.js';

const prefersDark = matchMedia('(prefers-color-scheme: dark)');
const prefersContrast = matchMedia('(prefers-contrast: more)');
const prefersLessMotion = matchMedia('(prefers-reduced-motion: reduce)');
/** Fonts that have all cells in one width, on any system; the last is the browser's own. */
const FONTS = 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace';

/** Of the letters' own height. At 1 some fonts lose the underscore to the next line, because a line is a whole number of pixels. */
const LINE_HEIGHT = 1.1;

/** The theme that shows now. */
export function shownTheme(settings: Settings): Theme {
  const wishes = { prefersDark: prefersDark.matches, prefersContrast: prefersContrast.matches };
  return THEMES[themeOf(settings.get('theme'), wishes)];
}

/** Whether things may move and blink. */
export function mayMove(): boolean {
  return !prefersLessMotion.matches;
}

/** Calls back now, and whenever colours or motion change. @returns takes the listener away */
function onLooks(settings: Settings, listener: () => void): () => void {
  const media = [prefersDark, prefersContrast, prefersLessMotion];
  for (const query of media) query.addEventListener('change', listener);
  const stop = settings.onChange((name) => {
    if (name === 'theme') listener();
  });
  listener();
  return () => {
    for (const query of media) query.removeEventListener('change', listener);
    stop();
  };
}

/** Gives the page its colours: the styles use them as custom properties. For the life of the page. */
export function addPageLooks(settings: Settings): void {
  const { documentElement: root } = document;
  onLooks(settings, () => {
    const { page, terminal, isDark } = shownTheme(settings);
    for (const [name, color] of Object.entries(page)) root.style.setProperty(`--${name}`, color);
    root.style.setProperty('--terminal-background', terminal.background);
    root.style.colorScheme = isDark ? 'dark' : 'light';
  });
}

/** Gives a terminal its colours and its letters, and adds the shortcuts for their size. */
export function addAppearance(view: TerminalView, settings: Settings, shortcuts: Shortcuts): void {
  const { xterm } = view;
  xterm.options.fontFamily = FONTS;
  xterm.options.lineHeight = LINE_HEIGHT;
  const stopLooks = onLooks(settings, () => {
    const { terminal, minimumContrast } = shownTheme(settings);
    xterm.options.theme = { ...terminal };
    xterm.options.minimumContrastRatio = minimumContrast;
    xterm.options.cursorBlink = mayMove();
  });
  const size = (): void => {
    xterm.options.fontSize = settings.get('fontSize');
    view.refit();
  };
  size();
  const stopSize = settings.onChange((name) => {
    if (name === 'fontSize') size();
  });
  view.onDispose(() => {
    stopLooks();
    stopSize();
  });
  const step = (by: number) => (): void => changeFontSize(settings, settings.get('fontSize') + by);
  shortcuts.add({ keys: 'Ctrl+Shift+ArrowUp', does: 'Makes letters larger', run: step(1) });
  shortcuts.add({ keys: 'Ctrl+Shift+ArrowDown', does: 'Makes letters smaller', run: step(-1) });
}

/** @param size CSS pixels; the nearest size that may be is taken */
export function changeFontSize(settings: Settings, size: number): void {
  settings.set('fontSize', Math.min(MAX_FONT_SIZE, Math.max(MIN_FONT_SIZE, Math.round(size))));
}
