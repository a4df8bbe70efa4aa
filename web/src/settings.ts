/** What the user has chosen for this browser, kept in its local storage: looks and ways of use, never a credential. Knows no element. */
import type { ThemeChoice } from './features/themes.js';

/** All settings. */
export interface SettingValues {
  readonly theme: ThemeChoice;
  /** CSS pixels. */
  readonly fontSize: number;
  /** Whether a screen reader is told what terminals show. */
  readonly screenReader: boolean;
  /** What a bell does beside its mark on the tab. */
  readonly bell: 'flash' | 'sound' | 'none';
  /** `auto` draws by WebGL where the machine is quick at it. */
  readonly renderer: 'auto' | 'webgl' | 'dom';
  /** `auto` shows the key bar where a finger is the pointer. */
  readonly keyBar: 'auto' | 'on' | 'off';
}

/** Sizes beyond these cannot be read, or leave no room for a line. */
export const MIN_FONT_SIZE = 8;
export const MAX_FONT_SIZE = 40;

const DEFAULTS: SettingValues = {
  theme: 'system',
  fontSize: 14,
  screenReader: false,
  bell: 'flash',
  renderer: 'auto',
  keyBar: 'auto',
};

/** Values that a setting may have; a number may be any in its bounds. */
const CHOICES: { readonly [K in keyof SettingValues]?: readonly SettingValues[K][] } = {
  theme: ['system', 'light', 'dark', 'contrast'],
  screenReader: [true, false],
  bell: ['flash', 'sound', 'none'],
  renderer: ['auto', 'webgl', 'dom'],
  keyBar: ['auto', 'on', 'off'],
};

const STORED_AS = 'execwire.settings';

/** Where settings are kept: a part of the browser's `Storage`. */
export interface SettingsPlace {
  getItem(name: string): string | null;
  setItem(name: string, text: string): void;
}

/** The settings, and who wants to know when one changes. */
export class Settings {
  readonly #place: SettingsPlace | undefined;
  #values: SettingValues;
  readonly #listeners = new Set<(name: keyof SettingValues) => void>();

  /** @param place undefined where the browser keeps nothing; the settings then hold until the page ends */
  constructor(place: SettingsPlace | undefined) {
    this.#place = place;
    this.#values = settingsOf(read(place));
  }

  get<K extends keyof SettingValues>(name: K): SettingValues[K] {
    return this.#values[name];
  }

  /** Changes a setting; a value that it cannot have changes nothing. */
  set<K extends keyof SettingValues>(name: K, value: SettingValues[K]): void {
    const values = settingsOf({ ...this.#values, [name]: value }, this.#values);
    if (values[name] === this.#values[name]) return;
    this.#values = values;
    try {
      this.#place?.setItem(STORED_AS, JSON.stringify(values));
    } catch {
      // The storage is full or forbidden: the setting holds until the page ends.
    }
    this.#tell([name]);
  }

  /** Takes over what another page of this browser has changed. */
  readAgain(): void {
    const before = this.#values;
    this.#values = settingsOf(read(this.#place));
    this.#tell(namesOf(before).filter((name) => before[name] !== this.#values[name]));
  }

  /** Calls back with the name of each setting that changes. @returns takes the listener away */
  onChange(listener: (name: keyof SettingValues) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(names: readonly (keyof SettingValues)[]): void {
    for (const name of names) for (const listener of this.#listeners) listener(name);
  }
}

function read(place: SettingsPlace | undefined): unknown {
  try {
    return JSON.parse(place?.getItem(STORED_AS) ?? '{}');
  } catch {
    return {};
  }
}

/** What is stored may be of another version or of another hand, so each value is checked. */
function settingsOf(stored: unknown, otherwise: SettingValues = DEFAULTS): SettingValues {
  const given: Partial<Record<keyof SettingValues, unknown>> =
    typeof stored === 'object' && stored !== null ? stored : {};
  const valid = namesOf(otherwise).filter((name) => isValid(name, given[name]));
  return { ...otherwise, ...Object.fromEntries(valid.map((name) => [name, given[name]])) };
}

function isValid(name: keyof SettingValues, value: unknown): boolean {
  if (name === 'fontSize') return typeof value === 'number' && value >= MIN_FONT_SIZE && value <= MAX_FONT_SIZE;
  const choices: readonly unknown[] = CHOICES[name] ?? [];
  return choices.includes(value);
}

function namesOf(settings: SettingValues): (keyof SettingValues)[] {
  return Object.keys(settings) as (keyof SettingValues)[];
}
