/** The colours of the page and of terminals: light, dark and high contrast. Knows no element. A test holds each pair to its contrast. */

/** Name of a theme. */
export type ThemeName = 'light' | 'dark' | 'contrast';

/** Colours of the page, by the names of the custom properties that carry them: `text` is `--text`. */
export interface PageColors {
  readonly background: string;
  readonly surface: string;
  readonly text: string;
  readonly muted: string;
  /** Edges of controls. */
  readonly edge: string;
  /** Edges that only divide. */
  readonly divider: string;
  readonly accent: string;
  readonly 'on-accent': string;
  readonly focus: string;
  readonly warning: string;
  readonly 'on-warning': string;
  readonly danger: string;
}

/** Colours of a terminal, by xterm's names. Black on dark and white on light are grounds of programs; xterm makes text of them readable. */
export interface TerminalColors {
  readonly background: string;
  readonly foreground: string;
  readonly cursor: string;
  readonly cursorAccent: string;
  readonly selectionBackground: string;
  readonly selectionInactiveBackground: string;
  readonly scrollbarSliderBackground: string;
  readonly scrollbarSliderHoverBackground: string;
  readonly scrollbarSliderActiveBackground: string;
  readonly black: string;
  readonly red: string;
  readonly green: string;
  readonly yellow: string;
  readonly blue: string;
  readonly magenta: string;
  readonly cyan: string;
  readonly white: string;
  readonly brightBlack: string;
  readonly brightRed: string;
  readonly brightGreen: string;
  readonly brightYellow: string;
  readonly brightBlue: string;
  readonly brightMagenta: string;
  readonly brightCyan: string;
  readonly brightWhite: string;
}

/** Colours of what a search finds. */
export interface MatchColors {
  readonly match: string;
  readonly active: string;
}

/** One theme. */
export interface Theme {
  readonly isDark: boolean;
  /** Text of a terminal has at least this contrast, whatever colours a program asks for: WCAG 2.2 asks for 4.5, and for 7 at level AAA. */
  readonly minimumContrast: number;
  readonly page: PageColors;
  readonly terminal: TerminalColors;
  readonly search: MatchColors;
}

const light: Theme = {
  isDark: false,
  minimumContrast: 4.5,
  page: {
    background: '#f3f4f6',
    surface: '#ffffff',
    text: '#1b1f24',
    muted: '#4f5966',
    edge: '#7a8491',
    divider: '#d3d8de',
    accent: '#0b57b0',
    'on-accent': '#ffffff',
    focus: '#0b57b0',
    warning: '#fff2cc',
    'on-warning': '#4a3500',
    danger: '#a3121f',
  },
  terminal: {
    background: '#ffffff',
    foreground: '#1b1f24',
    cursor: '#1b1f24',
    cursorAccent: '#ffffff',
    selectionBackground: '#b5d3fa',
    selectionInactiveBackground: '#dbe2ea',
    scrollbarSliderBackground: '#7a849166',
    scrollbarSliderHoverBackground: '#7a8491aa',
    scrollbarSliderActiveBackground: '#7a8491cc',
    black: '#1b1f24',
    red: '#b3162a',
    green: '#1c6b2c',
    yellow: '#7a5200',
    blue: '#0b4fb3',
    magenta: '#8a2aa5',
    cyan: '#0d6873',
    white: '#d5dae0',
    brightBlack: '#5f6976',
    brightRed: '#c21a30',
    brightGreen: '#21752f',
    brightYellow: '#855b00',
    brightBlue: '#155fcb',
    brightMagenta: '#9a36b6',
    brightCyan: '#11727e',
    brightWhite: '#f3f4f6',
  },
  search: { match: '#ffe08a', active: '#ffb454' },
};

const dark: Theme = {
  isDark: true,
  minimumContrast: 4.5,
  page: {
    background: '#14171c',
    surface: '#1e232a',
    text: '#e7eaee',
    muted: '#a7b0bb',
    edge: '#7c8794',
    divider: '#353c45',
    accent: '#7db4ff',
    'on-accent': '#0b1a2e',
    focus: '#7db4ff',
    warning: '#453509',
    'on-warning': '#ffe6a6',
    danger: '#ff9a97',
  },
  terminal: {
    background: '#101318',
    foreground: '#e3e7ec',
    cursor: '#e3e7ec',
    cursorAccent: '#101318',
    selectionBackground: '#33517d',
    selectionInactiveBackground: '#333c49',
    scrollbarSliderBackground: '#8a95a366',
    scrollbarSliderHoverBackground: '#8a95a3aa',
    scrollbarSliderActiveBackground: '#8a95a3cc',
    black: '#242931',
    red: '#ff7f7a',
    green: '#5cc46c',
    yellow: '#dba934',
    blue: '#6cabff',
    magenta: '#d48af0',
    cyan: '#45c4d3',
    white: '#c9d0d8',
    brightBlack: '#9aa3ae',
    brightRed: '#ff9a97',
    brightGreen: '#7fdb8c',
    brightYellow: '#f0c55a',
    brightBlue: '#93c2ff',
    brightMagenta: '#e2a9f7',
    brightCyan: '#72dbe7',
    brightWhite: '#f5f7f9',
  },
  search: { match: '#5a4a10', active: '#8a4b00' },
};

const contrast: Theme = {
  isDark: true,
  minimumContrast: 7,
  page: {
    background: '#000000',
    surface: '#000000',
    text: '#ffffff',
    muted: '#e6e6e6',
    edge: '#ffffff',
    divider: '#ffffff',
    accent: '#ffe14d',
    'on-accent': '#000000',
    focus: '#ffe14d',
    warning: '#000000',
    'on-warning': '#ffe14d',
    danger: '#ffb3b0',
  },
  terminal: {
    background: '#000000',
    foreground: '#ffffff',
    cursor: '#ffe14d',
    cursorAccent: '#000000',
    selectionBackground: '#1f4a8a',
    selectionInactiveBackground: '#3d3d3d',
    scrollbarSliderBackground: '#ffffffaa',
    scrollbarSliderHoverBackground: '#ffffffcc',
    scrollbarSliderActiveBackground: '#ffffff',
    black: '#000000',
    red: '#ff9c99',
    green: '#66e07a',
    yellow: '#ffd84d',
    blue: '#8fc1ff',
    magenta: '#f0a6ff',
    cyan: '#5ce1ee',
    white: '#e6e6e6',
    brightBlack: '#c4c4c4',
    brightRed: '#ffb3b0',
    brightGreen: '#90f0a0',
    brightYellow: '#ffe680',
    brightBlue: '#b3d6ff',
    brightMagenta: '#f7c7ff',
    brightCyan: '#94eff8',
    brightWhite: '#ffffff',
  },
  search: { match: '#5c4a00', active: '#8a3d00' },
};

/** All themes. */
export const THEMES: Readonly<Record<ThemeName, Theme>> = { light, dark, contrast };

/** What the user chose; `system` goes by what the system asks for. */
export type ThemeChoice = ThemeName | 'system';

/** What the system asks for. */
export interface SystemWishes {
  readonly prefersDark: boolean;
  readonly prefersContrast: boolean;
}

/** The theme that shows. High contrast is dark, as that of most systems. */
export function themeOf(choice: ThemeChoice, { prefersDark, prefersContrast }: SystemWishes): ThemeName {
  if (choice !== 'system') return choice;
  if (prefersContrast) return 'contrast';
  return prefersDark ? 'dark' : 'light';
}
